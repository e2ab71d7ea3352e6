package healthcmd

import (
	"strings"

	"google.golang.org/grpc/metadata"

	"github.com/grpcx-go/sdk/cmd/grpcx/internal/cli"
)

// parseHeaders reads "NAME: VALUE" as metadata. A value may be a secret and is
// in no error.
func parseHeaders(headers []string) (metadata.MD, error) {
	if len(headers) == 0 {
		return nil, nil //nolint:nilnil // no metadata
	}
	md := metadata.MD{}
	for i, header := range headers {
		name, value, ok := strings.Cut(header, ":")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		switch {
		case !ok:
			return nil, cli.Usagef(`--rpc-header number %d has no colon; write "NAME: VALUE"`, i+1)
		case name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" || strings.HasPrefix(name, "grpc-"):
			return nil, cli.Usagef("--rpc-header %.100q is no name of metadata; use letters, digits, - _ and ., and not grpc- in front", name)
		case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }):
			return nil, cli.Usagef("--rpc-header %q has a value beyond printable ASCII; encode it", name)
		}
		md.Append(name, value)
	}
	return md, nil
}
