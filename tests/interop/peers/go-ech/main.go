// SPDX-License-Identifier: Apache-2.0

// Command go-ech is an interop peer for Encrypted Client Hello over crypto/tls, and over quic-go and its http3. What every
// program takes and prints stands in tests/interop/README.md.
package main

import (
	"crypto/ecdh"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
)

const (
	exitFailed      = 1
	exitUsage       = 2
	exitUnsupported = 127
)

type list []string

func (l *list) String() string         { return strings.Join(*l, ",") }
func (l *list) Set(value string) error { *l = append(*l, value); return nil }

type settings struct {
	quic    bool
	listen  string
	cert    string
	key     string
	echKeys list
	tls12   bool
	groups  string
	connect string
	name    string
	caCert  string
	ech     string
	grease  bool
	disable bool
}

func parse(mode string, arguments []string) *settings {
	s := &settings{}
	flags := flag.NewFlagSet(mode, flag.ExitOnError)
	flags.BoolVar(&s.quic, "quic", false, "over QUIC")
	flags.StringVar(&s.groups, "groups", "", "key exchange by name")
	switch mode {
	case "server":
		flags.StringVar(&s.listen, "listen", "127.0.0.1:0", "ADDR:PORT")
		flags.StringVar(&s.cert, "cert", "", "certificate chain")
		flags.StringVar(&s.key, "key", "", "private key")
		flags.Var(&s.echKeys, "ech-key", "a key as RFC 9934 has it")
		flags.BoolVar(&s.tls12, "tls12", false, "TLS 1.2 only")
	case "client":
		flags.StringVar(&s.connect, "connect", "", "ADDR:PORT")
		flags.StringVar(&s.name, "name", "", "whom to ask for")
		flags.StringVar(&s.caCert, "cacert", "", "certificates to trust")
		flags.StringVar(&s.ech, "ech", "", "ECHConfigList, base64")
		flags.BoolVar(&s.grease, "ech-grease", false, "imitate ECH")
		flags.BoolVar(&s.disable, "ech-secure-disable", false, "connect in plain to a server without ECH")
	default:
		fail(exitUsage, "server, client or version?")
	}
	_ = flags.Parse(arguments)
	return s
}

func fail(code int, format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", arguments...)
	os.Exit(code)
}

var printing sync.Mutex

func tell(what map[string]any) {
	text, _ := json.Marshal(what)
	printing.Lock()
	defer printing.Unlock()
	fmt.Println(string(text))
}

func curves(s *settings) []tls.CurveID {
	known := map[string]tls.CurveID{"X25519": tls.X25519, "P-256": tls.CurveP256, "P-384": tls.CurveP384}
	var out []tls.CurveID
	for _, name := range strings.FieldsFunc(s.groups, func(r rune) bool { return r == ':' }) {
		curve, ok := known[name]
		if !ok {
			fail(exitUnsupported, "unsupported: the group %s", name)
		}
		out = append(out, curve)
	}
	return out
}

// echKey reads a private key and an ECHConfigList of one configuration.
func echKey(path string) tls.EncryptedClientHelloKey {
	text, err := os.ReadFile(path)
	if err != nil {
		fail(exitUsage, "%v", err)
	}
	var out tls.EncryptedClientHelloKey
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "PRIVATE KEY":
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				fail(exitUsage, "%s: %v", path, err)
			}
			out.PrivateKey = key.(*ecdh.PrivateKey).Bytes()
		case "ECHCONFIG":
			out.Config = block.Bytes[2:]
		}
	}
	out.SendAsRetry = true
	return out
}

func serverConfig(s *settings) *tls.Config {
	certificate, err := tls.LoadX509KeyPair(s.cert, s.key)
	if err != nil {
		fail(exitUsage, "%v", err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{certificate}, CurvePreferences: curves(s)}
	for _, path := range s.echKeys {
		config.EncryptedClientHelloKeys = append(config.EncryptedClientHelloKeys, echKey(path))
	}
	if s.tls12 {
		config.MaxVersion = tls.VersionTLS12
	}
	return config
}

func clientConfig(s *settings) *tls.Config {
	if s.grease {
		fail(exitUnsupported, "unsupported: crypto/tls does not imitate ECH")
	}
	text, err := os.ReadFile(s.caCert)
	if err != nil {
		fail(exitUsage, "%v", err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	config := &tls.Config{ServerName: s.name, RootCAs: roots, CurvePreferences: curves(s)}
	if s.ech != "" {
		config.MinVersion = tls.VersionTLS13
		if config.EncryptedClientHelloConfigList, err = base64.StdEncoding.DecodeString(s.ech); err != nil {
			fail(exitUsage, "%v", err)
		}
	}
	return config
}

// visit makes one attempt, and another one where a rejection allows it. `attempt` says whether ECH was accepted.
func visit(s *settings, attempt func(*tls.Config) (bool, error)) int {
	config := clientConfig(s)
	retried, disabled := false, false
	for attempts := 1; ; attempts++ {
		accepted, err := attempt(config)
		status := "not tried"
		var rejection *tls.ECHRejectionError
		switch {
		case disabled:
			status = "rejected"
		case accepted:
			status = "accepted"
		case errors.As(err, &rejection) && len(rejection.RetryConfigList) != 0:
			status = "rejected with retry"
		case errors.As(err, &rejection):
			status = "rejected"
		case s.ech != "":
			status = "failed"
		}
		if status == "rejected with retry" && !retried {
			retried = true
			config.EncryptedClientHelloConfigList = rejection.RetryConfigList
			continue
		}
		if status == "rejected" && s.disable && !disabled {
			disabled = true
			config.EncryptedClientHelloConfigList = nil
			continue
		}
		tell(map[string]any{"ech": status, "retried": retried && accepted, "attempts": attempts})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return exitFailed
		}
		return 0
	}
}

func report(state tls.ConnectionState) {
	status := "not tried"
	if state.ECHAccepted {
		status = "accepted"
	}
	tell(map[string]any{"event": "connection", "name": state.ServerName, "ech": status})
}

func endAtSignal() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	<-signals
	os.Exit(0)
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, each := range info.Deps {
			if each.Path == "github.com/quic-go/quic-go" {
				return runtime.Version() + ", quic-go " + each.Version
			}
		}
	}
	return runtime.Version()
}

func main() {
	if len(os.Args) < 2 {
		fail(exitUsage, "server, client or version?")
	}
	if os.Args[1] == "version" {
		fmt.Println(version())
		return
	}
	s := parse(os.Args[1], os.Args[2:])
	switch {
	case os.Args[1] == "client" && s.quic:
		os.Exit(visit(s, attemptOverQUIC(s)))
	case os.Args[1] == "client":
		os.Exit(visit(s, attemptOverTCP(s)))
	case s.quic:
		go endAtSignal()
		serveOverQUIC(s)
	default:
		go endAtSignal()
		serveOverTCP(s)
	}
}
