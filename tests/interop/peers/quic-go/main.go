// SPDX-License-Identifier: Apache-2.0

// Command quic-go is an interop peer over quic-go and its http3. What every peer takes and prints stands in
// tests/interop/README.md.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

const (
	exitFailed      = 1
	exitUsage       = 2
	exitHTTP        = 22
	exitUnsupported = 127
)

const usage = "usage: quic-go server|client|version [FLAGS] [PATH...]"

type settings struct {
	listen      string
	dir         string
	cert        string
	key         string
	retry       bool
	closeCode   string
	alpn        string
	connect     string
	authority   string
	caCert      string
	parallel    int
	outputDir   string
	pathsFile   string
	linger      time.Duration
	ciphers     string
	keyUpdate   int64
	idleTimeout time.Duration
	qlogDir     string
	keyLog      string
	paths       []string
}

func parse(mode string, arguments []string) *settings {
	s := &settings{}
	flags := flag.NewFlagSet(mode, flag.ExitOnError)
	var linger, idle float64
	switch mode {
	case "server":
		flags.StringVar(&s.listen, "listen", "127.0.0.1:0", "ADDR:PORT")
		flags.StringVar(&s.dir, "dir", ".", "folder to serve")
		flags.StringVar(&s.cert, "cert", "", "certificate chain")
		flags.StringVar(&s.key, "key", "", "private key")
		flags.BoolVar(&s.retry, "retry", false, "validate every address with a Retry packet")
		flags.StringVar(&s.closeCode, "close-code", "", "close with this application code at the first request")
		flags.StringVar(&s.alpn, "alpn", "h3,hq-interop", "protocols to accept")
	case "client":
		flags.StringVar(&s.connect, "connect", "", "ADDR:PORT")
		flags.StringVar(&s.authority, "authority", "localhost", "name of the server")
		flags.StringVar(&s.caCert, "cacert", "", "certificates to trust")
		flags.IntVar(&s.parallel, "parallel", 100, "requests at a time")
		flags.StringVar(&s.outputDir, "output-dir", ".", "where files go")
		flags.StringVar(&s.pathsFile, "paths-file", "", "paths to download, one a line")
		flags.Float64Var(&linger, "linger", 0, "seconds to wait for the server to close")
		flags.StringVar(&s.alpn, "alpn", "h3", "h3 or hq-interop")
	}
	flags.StringVar(&s.ciphers, "ciphers", "", "chacha20")
	flags.Int64Var(&s.keyUpdate, "key-update", -1, "update the keys after so many bytes")
	flags.Float64Var(&idle, "idle-timeout", 30, "seconds")
	flags.StringVar(&s.qlogDir, "qlog", "", "folder for qlog files")
	flags.StringVar(&s.keyLog, "keylog", "", "file for TLS secrets")
	_ = flags.Parse(arguments)
	s.linger = time.Duration(linger * float64(time.Second))
	s.idleTimeout = time.Duration(idle * float64(time.Second))
	s.paths = flags.Args()
	return s
}

func fail(code int, format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", arguments...)
	os.Exit(code)
}

func main() {
	if len(os.Args) < 2 {
		fail(exitUsage, usage)
	}
	mode := os.Args[1]
	switch mode {
	case "version":
		fmt.Println("quic-go " + libraryVersion())
	case "server", "client":
		s := parse(mode, os.Args[2:])
		if s.ciphers != "" && !restrictCipherSuites(s.ciphers) {
			fail(exitUnsupported, "unsupported: --ciphers %s", s.ciphers)
		}
		if s.keyUpdate >= 0 {
			scheduleKeyUpdate(s.keyUpdate)
		}
		if mode == "server" {
			serve(s)
		} else {
			os.Exit(download(s))
		}
	default:
		fail(exitUsage, usage)
	}
}

func protocols(s *settings) []string { return strings.Split(s.alpn, ",") }
