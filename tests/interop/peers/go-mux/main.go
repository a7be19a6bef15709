// SPDX-License-Identifier: Apache-2.0
// The two implementations of yamux in Go, as a server and a client: README.md has what they take and print.
package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"
)

const exitUnsupported = 127

func fail(code int, format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", arguments...)
	os.Exit(code)
}

func versionOf(module string) string {
	if built, ok := debug.ReadBuildInfo(); ok {
		for _, each := range built.Deps {
			if each.Path == module {
				return each.Version
			}
		}
	}
	return "?"
}

func serveConnection(lib library, conn net.Conn, keepAlive time.Duration, greet bool) {
	made, err := lib.start(conn, false, keepAlive)
	if err != nil {
		fail(1, "no session: %v", err)
	}
	for {
		next, err := made.Accept()
		if err != nil {
			fmt.Fprintf(os.Stderr, "closed: %v\n", err)
			fmt.Printf("{\"event\":\"closed\",\"clean\":%v}\n", made.Orderly(err))
			return
		}
		go func() {
			if err := serve(lib, made, next, greet); err != nil {
				fmt.Fprintf(os.Stderr, "a stream ended: %v\n", err)
			}
		}()
	}
}

func main() {
	if len(os.Args) < 3 {
		fail(2, "usage: LIBRARY version|server|client [OPTION]... [SCENARIO]")
	}
	lib, known := libraries[os.Args[1]]
	if !known {
		fail(2, "no such library")
	}
	flags := flag.NewFlagSet(os.Args[2], flag.ExitOnError)
	listen := flags.String("listen", "127.0.0.1:0", "ADDR:PORT")
	connect := flags.String("connect", "", "ADDR:PORT")
	milliseconds := flags.Int("keep-alive", 0, "milliseconds")
	greet := flags.Bool("greet", false, "speak first")
	_ = flags.Parse(os.Args[3:])
	keepAlive := time.Duration(*milliseconds) * time.Millisecond
	switch os.Args[2] {
	case "version":
		fmt.Println(os.Args[1] + " " + versionOf(lib.module))
	case "server":
		asked := make(chan os.Signal, 1)
		signal.Notify(asked, syscall.SIGTERM)
		go func() { <-asked; os.Exit(0) }()
		listener, err := net.Listen("tcp", *listen)
		if err != nil {
			fail(1, "%v", err)
		}
		fmt.Printf("listening on %s\n", listener.Addr())
		for {
			conn, err := listener.Accept()
			if err != nil {
				fail(1, "%v", err)
			}
			go serveConnection(lib, conn, keepAlive, *greet)
		}
	case "client":
		conn, err := net.Dial("tcp", *connect)
		if err != nil {
			fail(1, "%v", err)
		}
		made, err := lib.start(conn, true, keepAlive)
		if err != nil {
			fail(1, "%v", err)
		}
		if err := visit(lib, made, flags.Arg(0)); err == errUnsupported {
			fail(exitUnsupported, "unsupported: %s", lib.resets)
		} else if err != nil {
			fail(1, "%v", err)
		}
		if err := made.End(); err != nil {
			fmt.Fprintf(os.Stderr, "at the end: %v\n", err)
		}
	}
}
