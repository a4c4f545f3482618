package mock

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"weir/http1"
)

const (
	controlPrefix = "/mock/"
	waitTimeout   = 10 * time.Second // of /mock/wait, by default
)

// control responds to a request below /mock/ and reports whether there may be
// another.
func (c *conn) control(in *incoming) bool {
	if !c.readBody(in) {
		c.finish(true)
		return false
	}
	status, value := c.obey(in)
	body, err := json.MarshalIndent(value, "", "  ")
	if err != nil { // all values are structs of this package
		panic(err)
	}
	out := http1.AppendStatusLine(nil, status)
	out = http1.AppendField(out, "Content-Type", "application/json")
	out = http1.AppendField(out, "Content-Length", strconv.Itoa(len(body)+1))
	if !in.keep {
		out = http1.AppendField(out, "Connection", "close")
	}
	out = append(append(append(out, "\r\n"...), body...), '\n')
	if !c.write(out) {
		return false
	}
	if !in.keep {
		c.finish(true)
	}
	return in.keep
}

// problem is the value of a response that refuses.
type problem struct {
	Error string `json:"error"`
}

// done is the value of a response without a result.
type done struct {
	OK bool `json:"ok"`
}

// obey performs what the request asks for. What changes something is PUT or
// DELETE: a browser asks first, by OPTIONS, whether a page of another origin may
// send that, and nothing here says so.
func (c *conn) obey(in *incoming) (status int, value any) {
	s := c.srv
	switch in.Method + " " + in.path {
	case "GET /mock/log":
		return 200, s.Log()
	case "DELETE /mock/log":
		s.Forget()
		return 200, done{true}
	case "GET /mock/connections":
		return 200, s.Connections()
	case "GET /mock/wait":
		return c.waitFor(in.query)
	case "PUT /mock/rules":
		return s.takeRules(in.content)
	case "DELETE /mock/rules":
		return s.takeRules(nil)
	case "PUT /mock/health":
		return s.takeHealth(in.query)
	case "PUT /mock/release":
		s.Release()
		return 200, done{true}
	}
	return 404, problem{fmt.Sprintf("there is no %s %s", in.Method, in.path)}
}

func (s *Server) takeRules(script []byte) (status int, value any) {
	rules, err := ParseScript(script)
	if err == nil {
		err = s.SetRules(rules...)
	}
	if err != nil {
		return 400, problem{err.Error()}
	}
	return 200, done{true}
}

func (s *Server) takeHealth(query string) (status int, value any) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return 400, problem{err.Error()}
	}
	health, err := strconv.Atoi(values.Get("status"))
	if err != nil || health < 200 || health > 599 {
		return 400, problem{"status: want a number from 200 to 599"}
	}
	s.SetHealth(health)
	return 200, done{true}
}

// conditions are what can be waited for, by name.
var conditions = map[string]func(c Counts, n int) bool{
	"open":     func(c Counts, n int) bool { return c.Open == n },
	"opened":   func(c Counts, n int) bool { return c.Opened >= n },
	"closed":   func(c Counts, n int) bool { return c.Closed >= n },
	"requests": func(c Counts, n int) bool { return c.Requests >= n },
	"bodies":   func(c Counts, n int) bool { return c.Bodies >= n },
	"ended":    func(c Counts, n int) bool { return c.Ended >= n },
	"left":     func(c Counts, n int) bool { return c.Left >= n },
	"events":   func(c Counts, n int) bool { return c.Events >= n },
}

// waitFor waits for the condition of the query, for its timeout, the client's
// disconnect or the server's end.
func (c *conn) waitFor(query string) (status int, value any) {
	wanted, timeout, err := parseWait(query)
	if err != nil {
		return 400, problem{err.Error()}
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-c.disconnected:
			cancel()
		case <-stop:
		}
	}()
	counts, err := c.srv.seen.wait(ctx, func(have Counts) bool {
		for name, n := range wanted {
			if !conditions[name](have, n) {
				return false
			}
		}
		return true
	})
	if err != nil {
		return 504, counts
	}
	return 200, counts
}

func parseWait(query string) (wanted map[string]int, timeout time.Duration, err error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, 0, err
	}
	wanted, timeout = make(map[string]int), waitTimeout
	for name := range values {
		var n int
		switch {
		case name == "timeout":
			err = parseDuration(&timeout, values.Get(name))
		case conditions[name] == nil:
			err = fmt.Errorf("there is nothing to wait for named %q", name)
		default:
			err = parseCount(&n, values.Get(name))
			wanted[name] = n
		}
		if err != nil {
			return nil, 0, err
		}
	}
	return wanted, timeout, nil
}
