package relay

import (
	"errors"
	"strconv"
	"time"

	"weir/client"
	"weir/cmd/weir/internal/dialect"
	"weir/cmd/weir/internal/target"
	"weir/http1"
	"weir/reactor"
)

// Failures of an upstream, in addition to those of package client.
var (
	errConnect    = errors.New("the connection to the upstream timed out")
	errFirstEvent = errors.New("the upstream sent no event in time")
	errWhole      = errors.New("the upstream sent no response in time")
	errIdle       = errors.New("the upstream went silent")
	errTotal      = errors.New("the response took longer than allowed")
	errNoDone     = errors.New("the upstream ended the stream before it was complete")
	errFirst      = errors.New("the upstream sent an error in place of a response")
	errTold       = errors.New("the upstream ended its response with an error")
	errStatus     = errors.New("the upstream is overloaded")
	errNoStream   = errors.New("the upstream's response is not a stream")
	errCoded      = errors.New("the upstream's response has a content coding")
)

// Why no upstream was tried, or no other one.
var (
	errLost      = errors.New("the names of the model's upstreams do not resolve")
	errUnhealthy = errors.New("no upstream of the model is healthy")
	errBroken    = errors.New("the upstreams of the model have failed recently and are not used for now")
	errFull      = errors.New("the upstreams of the model are at their limits of requests")
	errNoTarget  = errors.New("no upstream of the model is available")
)

// lone is why no other target was tried although one could have been.
type lone struct{ code, why string }

func (l *lone) Error() string { return l.why }

var (
	errBudget = &lone{"retry_budget_spent", "too many requests are being retried"}
	errReplay = &lone{"request_not_kept", "the request is too long to be kept for that"}
)

// unavailable returns the response to a request that got no upstream at all,
// and why it did not, for the log.
func unavailable(why target.Why) (*dialect.Fault, error) {
	switch why {
	case target.Lost:
		return dialect.Unavailable("upstreams_unresolved", "The names of this model's servers do not resolve at the moment."), errLost
	case target.Unhealthy:
		return dialect.Unavailable("no_healthy_upstream", "No server of this model is healthy."), errUnhealthy
	case target.Broken:
		return dialect.Unavailable("upstreams_failing", "The servers of this model have failed recently and are not used for a moment."), errBroken
	case target.Full:
		return dialect.Unavailable("upstreams_full", "The servers of this model are at their limits of concurrent requests."), errFull
	}
	return dialect.Unavailable("no_upstream", "No server of this model is available."), errNoTarget
}

// failure returns the response after an attempt that failed before its first
// event (G5).
func failure(err error) *dialect.Fault {
	if reactor.LocalShortage(err) {
		return dialect.Unavailable("local_shortage", "The gateway has no room for another connection.")
	}
	return dialect.ServerError(statusOf(err), messageOf(err))
}

// reasonOf returns what a failure counts as; begun means that the response has
// started.
func reasonOf(err error, begun bool) target.Reason {
	switch {
	case reactor.LocalShortage(err):
		return target.Shortage
	case errors.Is(err, client.ErrConnect):
		return target.Unreachable
	case errors.Is(err, errConnect):
		return target.ConnectTimeout
	case errors.Is(err, errTotal):
		return target.TooLate
	case errors.Is(err, errNoStream), errors.Is(err, errCoded):
		return target.NoStream
	case overLimit(err):
		return target.TooLong
	case errors.Is(err, errFirstEvent), errors.Is(err, errWhole), errors.Is(err, errIdle) && !begun:
		return target.Silent
	case errors.Is(err, errNoDone) && begun:
		return target.Unfinished
	case begun:
		return target.Interrupted
	case errors.Is(err, client.ErrNoResponse):
		return target.NoResponse
	case errors.Is(err, client.ErrTruncated), errors.Is(err, errNoDone):
		return target.Truncated
	case errors.Is(err, errStatus):
		return target.Failed
	case errors.Is(err, errFirst):
		return target.ErrorEvent
	}
	return target.Invalid
}

// overLimit reports whether a response was refused for a limit of the gateway.
func overLimit(err error) bool {
	var head *http1.ParseError
	return errors.Is(err, client.ErrBodySize) || errors.Is(err, errLongEvent) || errors.Is(err, errLongWhole) || errors.As(err, &head) && head.TooLarge()
}

// refusalReason returns what a refusal by its status counts as. An upstream
// that sends Retry-After is overloaded, not broken.
func refusalReason(h *http1.Response) target.Reason {
	if s := h.Status(); s == 429 || s == 529 || s == 503 && retryAfter(h) > 0 {
		return target.Overloaded
	}
	return target.Failed
}

// statusOf returns the status of a response that failed with err before its
// first event (G5).
func statusOf(err error) int {
	for _, timeout := range []error{errConnect, errFirstEvent, errWhole, errIdle, errTotal} {
		if errors.Is(err, timeout) {
			return 504
		}
	}
	return 502
}

// messageOf returns for the client what went wrong, without naming the
// upstream.
func messageOf(err error) string {
	switch {
	case errors.Is(err, client.ErrConnect):
		return "The upstream is not reachable."
	case errors.Is(err, client.ErrNoResponse), errors.Is(err, client.ErrTruncated):
		return "The upstream closed the connection before its response was complete."
	case statusOf(err) == 504, errors.Is(err, errNoDone), errors.Is(err, errFirst), errors.Is(err, errStatus), errors.Is(err, errNoStream), errors.Is(err, errCoded), errors.Is(err, errLongEvent), errors.Is(err, errLongWhole):
		return "Relaying failed: " + err.Error() + "."
	}
	var head *http1.ParseError
	if errors.As(err, &head) && head.TooLarge() {
		return "The head of the upstream's response is beyond a limit of the gateway: " + head.Reason + "."
	}
	return "The upstream sent a response that is not valid HTTP."
}

// Statuses are a range of them.
type Statuses struct{ From, To int }

// retryable reports whether another target, or the same one later, may respond
// to the request with another status than this.
func (f *flow) retryable(status int) bool {
	for _, s := range f.model.RetryOn {
		if s.From <= status && status <= s.To {
			return true
		}
	}
	return false
}

// retryAfter returns the wait that an upstream asks for; 0 = it does not.
func retryAfter(h *http1.Response) time.Duration {
	if ms, err := strconv.ParseFloat(string(h.Get("Retry-After-Ms")), 64); err == nil && ms > 0 && ms < 1e9 {
		return time.Duration(ms * float64(time.Millisecond))
	}
	if s, err := strconv.ParseUint(string(h.Get("Retry-After")), 10, 31); err == nil {
		return time.Duration(s) * time.Second
	}
	return 0
}
