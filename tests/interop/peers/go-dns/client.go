// SPDX-License-Identifier: Apache-2.0
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/miekg/dns"
)

// ask sends one question and prints the code and the records of the answer, one a line.
func ask(arguments []string) {
	flags := flag.NewFlagSet("client", flag.ExitOnError)
	where := flags.String("connect", "", "address and port")
	via := flags.String("via", "udp", "udp, tcp, post or get")
	cacert := flags.String("cacert", "", "roots of the DoH server")
	flags.Parse(arguments)
	query := new(dns.Msg)
	query.SetQuestion(dns.Fqdn(flags.Arg(0)), dns.StringToType[flags.Arg(1)])
	query.SetEdns0(1232, false)
	var answer *dns.Msg
	var err error
	switch *via {
	case "udp", "tcp":
		answer, _, err = (&dns.Client{Net: *via, Timeout: 5 * time.Second}).Exchange(query, *where)
	default:
		answer, err = askOverHTTPS(query, *via, *where, *cacert)
	}
	if err != nil {
		fail(err.Error())
	}
	fmt.Println(dns.RcodeToString[answer.Rcode])
	for _, record := range answer.Answer {
		fmt.Println(record.String())
	}
}

func askOverHTTPS(query *dns.Msg, method, where, cacert string) (*dns.Msg, error) {
	query.Id = 0
	packed, err := query.Pack()
	if err != nil {
		return nil, err
	}
	pem, err := os.ReadFile(cacert)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "server.test"}}}
	target := "https://" + where + "/dns-query"
	var response *http.Response
	if method == "get" {
		response, err = client.Get(target + "?dns=" + base64.RawURLEncoding.EncodeToString(packed))
	} else {
		response, err = client.Post(target, mediaType, bytes.NewReader(packed))
	}
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != mediaType {
		return nil, fmt.Errorf("status %d, %s", response.StatusCode, response.Header.Get("Content-Type"))
	}
	answer := new(dns.Msg)
	return answer, answer.Unpack(body)
}
