package target

import (
	"strings"
	"testing"
)

// BenchmarkPick: one of eight.
func BenchmarkPick(b *testing.B) {
	for _, name := range []string{"round_robin", "least_outstanding", "p2c", "prefix_hash", "session"} {
		b.Run(name, func(b *testing.B) {
			p, err := New(name, 8, nil)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				c := targets(1, 1, 2, 2, 3, 3, 4, 4)
				for k := Key(1); pb.Next(); k++ {
					c[p.Pick(c, k)].Outstanding ^= 1
				}
			})
		})
	}
}

func BenchmarkPrefix(b *testing.B) {
	messages := []byte(`[{"role":"user","content":"` + strings.Repeat("x", PrefixBytes) + `"}]`)
	b.SetBytes(PrefixBytes)
	b.ReportAllocs()
	for b.Loop() {
		var p Prefix
		p.Add(messages)
	}
}
