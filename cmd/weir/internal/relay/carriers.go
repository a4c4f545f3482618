package relay

import (
	"bytes"
	"slices"

	"weir/http1"
)

// Carriers are the fields and query parameters in which clients send their
// keys, to this gateway or another one. They are for the gateway and not for
// any upstream (G12).
type Carriers struct {
	fields *http1.FieldSet // and those that the gateway writes itself, so that one look is enough
	query  *http1.FieldSet
}

// NewCarriers returns the known carriers and those that are named, in any case.
func NewCarriers(fields, query []string) *Carriers {
	return &Carriers{
		http1.NewFieldSet(slices.Concat(ownFields[:], keyFields[:], fields)...),
		http1.NewFieldSet(slices.Concat(keyParams[:], query)...),
	}
}

// longestParam is how long the name of a query parameter may be that carries a
// key; package config refuses longer ones.
const longestParam = 64

var (
	keyFields = [...]string{
		"authorization", "cookie", "cookie2",
		"x-api-key", "api-key", "apikey", "x-auth-token", "x-access-token", "x-amz-security-token",
		"x-goog-api-key", "x-goog-iam-authorization-token", "ocp-apim-subscription-key", "x-functions-key",
		"x-litellm-api-key", "x-litellm-key", "x-portkey-api-key", "x-portkey-virtual-key", "x-portkey-config",
		"helicone-auth", "cf-aig-authorization", "cf-access-client-secret", "cf-access-jwt-assertion", "x-amzn-oidc-data", "x-amzn-oidc-accesstoken",
		"x-forwarded-access-token", "x-ms-token-aad-access-token", "x-ms-token-aad-id-token",
	}
	keyParams = [...]string{
		"key", "api_key", "api-key", "apikey", "x-api-key", "subscription-key", "access_token", "auth_token",
	}
	knownCarriers = NewCarriers(nil, nil)
)

// withoutKeys returns a query without the parameters that carry keys: the query
// itself if it has none.
func (c *Carriers) withoutKeys(query []byte) []byte {
	for rest := query; len(rest) > 0; {
		var param []byte
		if param, _, rest = cutParam(rest); c.carries(param) {
			return c.strip(query)
		}
	}
	return query
}

// strip is withoutKeys if there is something to remove.
func (c *Carriers) strip(query []byte) []byte {
	out := make([]byte, 0, len(query))
	var before, next []byte // the separators around a parameter
	for rest := query; len(rest) > 0; before = next {
		var param []byte
		if param, next, rest = cutParam(rest); c.carries(param) {
			continue
		}
		if len(out) > 0 {
			out = append(out, before...)
		}
		out = append(out, param...)
	}
	return out
}

// cutParam splits a query after its first parameter. Some servers also accept a
// semicolon as a separator.
func cutParam(query []byte) (param, separator, rest []byte) {
	i := bytes.IndexAny(query, "&;")
	if i < 0 {
		return query, nil, nil
	}
	return query[:i], query[i : i+1], query[i+1:]
}

// carries reports whether a parameter, still encoded, is one of those.
func (c *Carriers) carries(param []byte) bool {
	var name [longestParam]byte
	n := 0
	for i := 0; i < len(param) && param[i] != '='; i++ {
		if n == len(name) {
			return false
		}
		b := param[i]
		switch {
		case b == '+':
			b = ' '
		case b == '%' && i+2 < len(param) && isHex(param[i+1]) && isHex(param[i+2]):
			b = unhex(param[i+1])<<4 | unhex(param[i+2])
			i += 2
		}
		name[n] = b
		n++
	}
	return c.query.Has(name[:n])
}

func isHex(c byte) bool { return c-'0' < 10 || c|0x20-'a' < 6 }

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
