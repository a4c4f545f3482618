// Command weir is a streaming-first HTTP server and a gateway for the token
// streams of language models. `weir help` lists its subcommands.
package main

import (
	"os"

	"weir/cmd/weir/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr)) }
