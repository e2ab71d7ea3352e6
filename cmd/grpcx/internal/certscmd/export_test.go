package certscmd

// ParseYAML, ParseCSV, ParseCSR, ParseCACSR, ParseConfig, ParseIndex and DecodeCerts are for fuzzing; each
// returns only whether the input was taken.

func ParseYAML(data []byte) ([]string, error) { return namesOf(parseBatch("x.yaml", data, entry{})) }

func ParseCSV(data []byte) ([]string, error) { return namesOf(parseBatch("x.csv", data, entry{})) }

func ParseCSR(data []byte) (int, error) {
	r, err := parseCSR(data)
	return len(r.dns) + len(r.ips) + len(r.uris), err
}

func ParseCACSR(data []byte) error {
	_, err := parseCACSR(data)
	return err
}

func ParseConfig(data []byte) error {
	_, err := parseConfig(data)
	return err
}

func ParseIndex(data []byte) ([]byte, error) {
	x, err := parseIndex(data)
	if err != nil {
		return nil, err
	}
	return x.encode()
}

func DecodeCerts(data []byte) (int, error) {
	certs, err := decodeCerts(data)
	return len(certs), err
}

func DecodeKey(data []byte) error {
	_, err := decodeKey(data)
	return err
}

func ParseSerial(s string) (string, error) {
	n, err := parseSerial(s)
	if err != nil {
		return "", err
	}
	return serialText(n), nil
}

func ParseLifetime(s string) (string, error) {
	d, err := parseLifetime(s)
	return formatLifetime(d), err
}

func namesOf(requests []request, err error) ([]string, error) {
	var out []string
	for _, r := range requests {
		out = append(out, r.name)
	}
	return out, err
}
