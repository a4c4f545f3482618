package llama_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"weir/examples/tinyllama/llama"
)

// BenchmarkForward is a decode step of many sequences on one core, at 64 to 128 tokens of context.
func BenchmarkForward(b *testing.B) {
	m := realModel(b)
	for _, batch := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			w, rows := m.NewWorker(), make([]llama.Row, batch)
			for i := range rows {
				rows[i] = llama.Row{Cache: new(llama.Cache), Token: 300 + i, Logits: make([]float32, m.Tokenizer.Size())}
			}
			steps, busy := 0, cpuTime()
			for b.Loop() {
				if steps%64 == 0 {
					b.StopTimer()
					before := cpuTime()
					rewind(w, rows)
					busy += cpuTime() - before
					b.StartTimer()
				}
				w.Forward(rows)
				steps++
			}
			b.ReportMetric(float64(steps*batch)/(cpuTime()-busy).Seconds(), "tokens/cpu-s")
			b.ReportMetric(float64(steps*batch)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}

// cpuTime is what the process has used, which other processes' load does not change much.
func cpuTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// rewind brings every sequence back to 64 tokens.
func rewind(w *llama.Worker, rows []llama.Row) {
	for _, row := range rows {
		row.Cache.Reset()
		row.Logits = nil
		for range 64 {
			w.Forward([]llama.Row{row})
		}
	}
}
