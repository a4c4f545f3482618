package pattern_test

import (
	"fmt"

	"weir/internal/pattern"
)

func ExampleTree() {
	var tree pattern.Tree[string]
	for _, s := range []string{"GET /v1/models/{id}", "GET /v1/models/{id}/", "/"} {
		p, err := pattern.Parse(s)
		if err != nil {
			panic(err)
		}
		if err := tree.Add(p, "example_test.go:13", "handler of "+s); err != nil {
			panic(err)
		}
	}
	var ps pattern.Params
	v, _, _ := tree.Match([]byte("HEAD"), nil, []byte("/v1/models/tiny%20llama"), &ps)
	fmt.Printf("%s, %s=%s\n", v, ps.Name(0), ps.Value(0))
	// Output: handler of GET /v1/models/{id}, id=tiny llama
}
