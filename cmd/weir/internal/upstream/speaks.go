package upstream

import (
	"slices"

	"weir/client"
	"weir/cmd/weir/internal/dialect"
)

// credentials are the fields by which an upstream gets its key in a dialect.
type credentials struct {
	dialect dialect.Dialect
	fields  []client.Field
	absent  []string // beside each field: only if the client has not sent that one; "" = in any case
}

// credentialsOf makes them for each dialect that the upstream speaks.
func (c *Config) credentialsOf() (all []credentials) {
	for _, d := range c.Dialects {
		own := credentials{dialect: d}
		for _, f := range d.Credentials(c.Key) {
			absent := ""
			if f.Default {
				absent = f.Name
			}
			own.fields, own.absent = append(own.fields, client.NewField(f.Name, f.Value)), append(own.absent, absent)
		}
		all = append(all, own)
	}
	return all
}

// Speaks reports whether requests in a dialect can be sent to the upstream.
func (u *Upstream) Speaks(d dialect.Dialect) bool { return slices.Contains(u.Dialects, d) }

// Fields are those of a client's request.
type Fields interface{ Has(name string) bool }

// nothing is the fields of a request that is the gateway's own.
type nothing struct{}

func (nothing) Has(string) bool { return false }

// AppendCredentials appends the fields by which the upstream gets its key in a
// request in a dialect that it speaks (G12).
func (u *Upstream) AppendCredentials(dst []client.Field, d dialect.Dialect, sent Fields) []client.Field {
	for i := range u.credentials {
		c := &u.credentials[i]
		if c.dialect != d {
			continue
		}
		for j, f := range c.fields {
			if c.absent[j] == "" || !sent.Has(c.absent[j]) {
				dst = append(dst, f)
			}
		}
	}
	return dst
}
