package mongo

// Target is what a URI says.
func Target(uri string) (hosts []string, database string, err error) {
	o, database, err := target(uri)
	if err != nil {
		return nil, "", err
	}
	return o.Hosts, database, nil
}
