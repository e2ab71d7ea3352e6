package certscmd_test

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/grpcx-go/sdk/internal/assert"
)

// Commands that run at the same time lose nothing of each other.
func TestConcurrentCommands(t *testing.T) {
	newCA(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if r := run(t, "issue", "--out", fmt.Sprint("leaf", i), "--dns", "localhost"); r.code != 0 {
				t.Errorf("issue: %s", r.err)
			}
			if r := run(t, "crl", "--out", fmt.Sprint("crl", i)); r.code != 0 {
				t.Errorf("crl: %s", r.err)
			}
		})
	}
	wg.Wait()
	var index struct {
		Number       int `json:"crl_number"`
		Certificates []struct{ Serial string }
	}
	data, err := os.ReadFile("ca/index.json")
	assert.NoError(t, err)
	assert.NoError(t, json.Unmarshal(data, &index))
	assert.Equal(t, index.Number, 8)
	assert.Equal(t, len(index.Certificates), 8)
}
