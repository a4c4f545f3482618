package relay

import "weir/client"

// at is where an upstream of a test is.
func at(url string) client.Endpoint {
	e, err := client.ParseEndpoint(url)
	if err != nil {
		panic(err)
	}
	return e
}
