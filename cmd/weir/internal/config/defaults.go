package config

import (
	"reflect"
	"time"
)

// A defaulter fills its own fields; those of structs within it come first.
type defaulter interface{ setDefaults() }

// fill gives v, which must be addressable, and the structs within it their
// defaults. Elements of maps and lists get theirs when they are decoded.
func fill(v reflect.Value) {
	if v.Kind() != reflect.Struct {
		return
	}
	for i := range v.NumField() {
		if v.Type().Field(i).IsExported() {
			fill(v.Field(i))
		}
	}
	if d, ok := v.Addr().Interface().(defaulter); ok {
		d.setDefaults()
	}
}

func (c *Config) setDefaults() {
	c.Listen = []string{"127.0.0.1:8080"}
	c.Drain = Duration(time.Minute)
	c.Forwarded = "drop"
}

func (a *Admin) setDefaults() { a.Listen = "127.0.0.1:9464" }

func (u *Upstream) setDefaults() {
	u.Dialects = []string{"openai"}
	u.Resolve = Duration(30 * time.Second)
}

func (t *Timeouts) setDefaults() {
	t.Connect = Duration(2 * time.Second)
	t.FirstEvent = Duration(2 * time.Minute)
	t.Idle = Duration(2 * time.Minute)
	t.Whole = Duration(10 * time.Minute) // what the SDKs wait
}

func (h *Health) setDefaults() {
	h.Interval = Duration(5 * time.Second)
	h.Timeout = Duration(2 * time.Second)
	h.Healthy, h.Unhealthy = 1, 3
}

func (b *Breaker) setDefaults() {
	b.Share, b.Volume = 0.5, 10
	b.Window = Duration(10 * time.Second)
	b.Open = Duration(5 * time.Second)
}

func (b *RetryBudget) setDefaults() { b.Share, b.Floor = 0.2, 10 }

func (m *Model) setDefaults() {
	m.Policy = "least_outstanding"
	m.Retries = 2
	m.RetryOn = []Status{{429, 429}, {500, 599}}
	m.Keepalive = Duration(10 * time.Second)
}

func (t *Target) setDefaults() { t.Weight = 1 }

func (h *Hold) setDefaults() {
	h.Events = 1
	h.Wait = Duration(2 * time.Second)
}

func (l *Limits) setDefaults() {
	l.Body = 64 << 20
	l.Replay = 4 << 20
	l.Streams = 20000
	l.Event = 4 << 20
}

func (l *Log) setDefaults() {
	l.Access = "stderr"
	l.Format = "auto"
	l.Sample = 1
}
