package relay

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// G12: the upstream's Date passes, once; where it sends none, or what is none,
// the answer is dated here.
func TestDate(t *testing.T) { each(t, testDate) }

func testDate(t *testing.T, gateway func(http.Handler) string) {
	const old, older = "Sun, 06 Nov 1994 08:49:37 GMT", "Sat, 05 Nov 1994 08:49:37 GMT"
	for _, tt := range []struct {
		name string
		sent []string
		want string // "" = now
	}{
		{"one", []string{old}, old},
		{"two", []string{old, older}, old},
		{"none", nil, ""},
		{"garbage", []string{"yesterday"}, ""},
	} {
		for _, stream := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, stream %v", tt.name, stream), func(t *testing.T) {
				url := gateway(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header()["Date"] = tt.sent
					if stream {
						w.Header().Set("Content-Type", "text/event-stream")
					}
					io.WriteString(w, "data: [DONE]\n\n")
				}))
				begun := time.Now().Truncate(time.Second)
				res, _, err := post(t, url, ask)
				if err != nil {
					t.Fatal(err)
				}
				got := res.Header["Date"]
				if tt.want != "" {
					if strings.Join(got, "; ") != tt.want {
						t.Errorf("got %q, want %q", got, tt.want)
					}
					return
				}
				at, err := http.ParseTime(strings.Join(got, "; "))
				if err != nil || at.Before(begun) || at.After(time.Now()) {
					t.Errorf("got %q, %v, want now", got, err)
				}
			})
		}
	}
}
