package main

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"weir/bench/internal/stats"
)

// outcome is what a trial's rounds gave.
type outcome struct {
	trial
	samples map[string][]sample // by server
	trouble []string            // what failed or was skipped
}

// figure returns the median over the rounds, or the worst of them where the
// metric says so; NaN without samples or where the server has no such figure.
func (o outcome) figure(server, key string) float64 {
	for _, m := range o.metrics {
		if m.key == key && m.worst {
			return o.sorted(server, key).Max()
		}
	}
	return o.sorted(server, key).Median()
}

func (o outcome) sorted(server, key string) stats.Sorted {
	var values []float64
	for _, s := range o.samples[server] {
		if v, ok := s[key]; ok {
			values = append(values, v)
		}
	}
	return stats.Sort(values)
}

// markdown writes the trial as a table of medians: for the first metric also
// the range over the rounds and the ratio to the first server's.
func (o outcome) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n%s; %s.\n\n", o.title, o.about, count(o.rounds, "round"))
	main, ref := o.metrics[0], o.servers[0]
	fmt.Fprintf(&b, "| server | %s | min-max | ÷ %s |", main.title, ref)
	for _, m := range o.metrics[1:] {
		fmt.Fprintf(&b, " %s |", m.title)
	}
	b.WriteString("\n|---" + strings.Repeat("|---:", len(o.metrics)+2) + "|\n")
	for _, server := range o.servers {
		if len(o.samples[server]) == 0 {
			continue
		}
		s := o.sorted(server, main.key)
		fmt.Fprintf(&b, "| %s | %s | %s-%s | %s |", server, main.format(s.Median()),
			main.format(s.Min()), main.format(s.Max()), number(s.Median()/o.figure(ref, main.key), 2))
		for _, m := range o.metrics[1:] {
			fmt.Fprintf(&b, " %s |", m.format(o.figure(server, m.key)))
		}
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	for _, g := range o.goals {
		if line := o.judge(g); line != "" {
			fmt.Fprintf(&b, "* %s\n", line)
		}
	}
	for _, line := range o.trouble {
		fmt.Fprintf(&b, "* %s\n", line)
	}
	return strings.TrimRight(b.String(), "\n") + "\n\n"
}

// judge returns whether a goal was met, or "" if it was not measured.
func (o outcome) judge(g goal) string {
	got, what := o.figure(g.server, g.metric), g.server
	if g.ref != "" {
		got, what = got/o.figure(g.ref, g.metric), what+" ÷ "+g.ref
	}
	if math.IsNaN(got) {
		return ""
	}
	verdict := "met"
	if got > g.atMost {
		verdict = "MISSED"
	}
	title := g.metric
	for _, m := range o.metrics {
		if m.key == g.metric {
			title = m.title
		}
	}
	return fmt.Sprintf("%s, %s: %s, goal at most %s: %s", title, what, number(got, 2), number(g.atMost, 2), verdict)
}

func (m metric) format(v float64) string {
	if m.scale != 0 {
		v *= m.scale
	}
	return number(v, m.prec)
}

func number(v float64, prec int) string {
	if math.IsNaN(v) {
		return "-"
	}
	return fmt.Sprintf("%.*f", prec, v)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// preamble describes where and how the figures were made.
func preamble(name, command string, serverCPU, loadCPU int) string {
	return fmt.Sprintf("# %s\n\nMade by `%s` on %s: %s, %s, Linux %s, %s, load average before %s.\n\n"+
		"Every round starts each server anew, in turn, on CPU %d, and loads it over loopback from CPU %d; figures are medians over the rounds. "+
		"CPU is the server's own, from /proc/PID/task/*/schedstat. Compare within a table only.\n\n",
		name, command, time.Now().UTC().Format("2006-01-02 15:04 MST"), count(runtime.NumCPU(), "CPU"), cpuModel(), kernel(),
		runtime.Version(), loadAverage(), serverCPU, loadCPU)
}

func kernel() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(u.Release[:])
}

func cpuModel() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown CPU"
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown CPU"
}

func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}
