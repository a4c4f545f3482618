package conform

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"
)

// sameUnderSplits sends raw whole, byte by byte, and cut in two at every byte,
// each time on a new connection, and wants the same bytes back (Date aside).
func sameUnderSplits(raw string, status int) Step {
	return func(p *peer) error {
		want, err := transcript(p.target, status, raw)
		if err != nil {
			return fmt.Errorf("whole: %w", err)
		}
		single := make([]string, len(raw))
		for i := range len(raw) {
			single[i] = raw[i : i+1]
		}
		if err := same(p.target, status, want, single...); err != nil {
			return fmt.Errorf("byte by byte: %w", err)
		}
		for i := 1; i < len(raw); i++ {
			if err := same(p.target, status, want, raw[:i], raw[i:]); err != nil {
				return fmt.Errorf("cut at %d: %w", i, err)
			}
		}
		return nil
	}
}

func same(target *Target, status int, want []byte, parts ...string) error {
	got, err := transcript(target, status, parts...)
	if err == nil && !bytes.Equal(got, want) {
		err = fmt.Errorf("got bytes %q, want %q", got, want)
	}
	return err
}

var dateLine = regexp.MustCompile(`(?m)^Date: [^\r]*`)

// transcript returns all bytes of the response to the parts, with the date
// masked.
func transcript(target *Target, status int, parts ...string) ([]byte, error) {
	p := &peer{target: target, tape: new(bytes.Buffer)}
	defer p.close()
	if err := answerParts(p, status, parts); err != nil {
		return nil, fmt.Errorf("%w%s", err, p.story())
	}
	if p.last.saysClose() {
		if err := closed(p); err != nil {
			return nil, err
		}
	}
	if err := p.nothingLeft(); err != nil {
		return nil, err
	}
	return dateLine.ReplaceAll(p.tape.Bytes(), []byte("Date: -")), nil
}

// answerParts sends the parts apart. A request that will be served must be met
// with silence before its last byte; one that is refused may be refused early.
func answerParts(p *peer, status int, parts []string) error {
	if status < 400 {
		return do(pieces(parts...), answer(status))(p)
	}
	for _, part := range parts {
		if err := p.send(part); err != nil {
			return err
		}
		if err := p.pause(); err != nil {
			break
		}
	}
	return answer(status)(p)
}

// pause gives the server time to see the last piece alone, and reports whether
// it has ended the connection.
func (p *peer) pause() error {
	err := p.fill(time.Now().Add(pace))
	if errors.Is(err, errSilent) {
		return nil
	}
	if err == io.EOF || errors.Is(err, errReset) {
		return err
	}
	return nil
}
