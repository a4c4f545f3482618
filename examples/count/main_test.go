package main

import (
	"bufio"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

const asProgram = "COUNT_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// The program is the one that README.md shows, to the letter.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), "\n```go\n"+string(program)+"```\n") {
		t.Error("README.md shows another program")
	}
}

// It streams: the first number comes while the others are still to be made.
func TestCounts(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), asProgram+"=1")
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-ended
	})
	for late := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		select {
		case err := <-ended:
			ended <- err
			if strings.Contains(said.String(), "address already in use") {
				t.Skip("another program listens on port 8080")
			}
			t.Fatalf("the program ended: %v, %s", err, said.String())
		default:
		}
		res, err := http.Get("http://127.0.0.1:8080/count")
		if err != nil {
			if time.Now().After(late) {
				t.Fatal(err)
			}
			continue // it does not listen yet
		}
		defer res.Body.Close()
		lines := bufio.NewScanner(res.Body)
		for _, want := range []string{"0", "1", "2"} {
			if !lines.Scan() || lines.Text() != want {
				t.Fatalf("got %q, %v, want %s", lines.Text(), lines.Err(), want)
			}
		}
		return
	}
}
