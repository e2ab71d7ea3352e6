package healthcmd

// ParseTarget returns the parts of an address that net.Dial and TLS get.
func ParseTarget(text string) (network, address, host, authority string, err error) {
	t, err := parseTarget(text)
	return t.network, t.address, t.host, t.authority, err
}

// ParseHeaders returns the metadata of --rpc-header.
func ParseHeaders(headers ...string) (map[string][]string, error) { return parseHeaders(headers) }
