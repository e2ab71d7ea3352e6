package release_test

import (
	"os"
	"testing"

	"github.com/grpcx-go/sdk/internal/leak"
)

// upstream is the module proxy of this machine. The tests of small repositories
// need none.
var upstream string

func TestMain(m *testing.M) {
	// Commits of the tests depend on nobody's configuration.
	for name, value := range map[string]string{
		"GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_NOSYSTEM": "1",
		"GIT_AUTHOR_NAME": "Tester", "GIT_AUTHOR_EMAIL": "tester@example.com",
		"GIT_COMMITTER_NAME": "Tester", "GIT_COMMITTER_EMAIL": "tester@example.com",
	} {
		_ = os.Setenv(name, value)
	}
	upstream = os.Getenv("GOPROXY")
	_ = os.Setenv("GOPROXY", "off")
	leak.Main(m)
}
