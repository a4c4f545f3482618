package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMain is the program itself for the process that measureLeave starts.
func TestMain(m *testing.M) {
	if slices.Contains(os.Args, "-settle") {
		main()
	}
	os.Exit(m.Run())
}

func TestMeasureLeave(t *testing.T) {
	streams := numberer(0)
	left := make(chan struct{}, 7)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/gone" {
			streams(w, r)
			if r.Context().Err() != nil {
				left <- struct{}{}
			}
			return
		}
		for range 3 {
			<-left
		}
		_, _ = fmt.Fprintf(w, `{"at":%d}`, time.Now().UnixNano())
	}))
	defer server.Close()
	out, err := measureLeave(config{
		addr: strings.TrimPrefix(server.URL, "http://"), conns: 7, interval: 5 * time.Millisecond, size: 190, numbered: true,
		settle: 500 * time.Millisecond,
	})
	if err != nil || out.Left != 3 || out.Incomplete != 0 || out.Noticed <= 0 || out.Closed <= 0 || out.BeforeP99 <= 0 || out.AfterP99 <= 0 {
		t.Errorf("got %+v, %v; want 3 that left and times", out, err)
	}
}
