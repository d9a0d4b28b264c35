package connect

import (
	"bufio"
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpproxy"
	"golang.org/x/net/proxy"

	"mq/tlsconf"
)

var proxyPorts = map[string]int{"socks5": 1080, "socks5h": 1080, "http": 8080, "https": 443}

// ParseProxy reads a --proxy URL: socks5h:// (the proxy looks the name up), socks5:// (we do) or http:// and https://
// (the CONNECT method), with an optional percent-encoded user:password@. The error is an *OptionError without user name
// and password.
func ParseProxy(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || proxyPorts[u.Scheme] == 0 || !validPort(u.Port()) {
		return nil, &OptionError{Flag: "proxy", Value: RedactURL(s), Reason: "want socks5h://, socks5://, http:// or https:// and a host",
			hints: []string{"for example --proxy socks5h://localhost:1080"}}
	}
	return u, nil
}

// validPort reports whether s, of which url.Parse has checked the digits, is a port or empty.
func validPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return s == "" || err == nil && n > 0
}

// proxy returns the proxy to go through, nil for none. Without --proxy the usual variables decide: HTTP_PROXY for ws,
// HTTPS_PROXY for wss, and ALL_PROXY for every network, except for what NO_PROXY and the loopback rule leave out.
func (o *Options) proxy() (*url.URL, error) {
	if o.Proxy != nil {
		return o.Proxy, nil
	}
	env := func(name string) string {
		if v := o.Getenv(strings.ToLower(name)); v != "" {
			return v
		}
		return o.Getenv(name)
	}
	text := env("ALL_PROXY")
	switch o.Network {
	case WS:
		text = cmp.Or(env("HTTP_PROXY"), text)
	case WSS:
		text = cmp.Or(env("HTTPS_PROXY"), text)
	}
	if text == "" {
		return nil, nil
	}
	// httpproxy only judges whether a proxy is used: a proxy it cannot parse is, to it, none.
	c := httpproxy.Config{HTTPProxy: "http://proxy", NoProxy: env("NO_PROXY")}
	if u, err := c.ProxyFunc()(&url.URL{Scheme: "http", Host: o.target()}); u == nil || err != nil {
		return nil, err
	}
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := ParseProxy(text)
	if err != nil {
		return nil, &OptionError{Flag: "proxy", Value: RedactURL(text), Reason: "the proxy named in the environment is not a valid URL",
			hints: []string{"correct HTTP_PROXY, HTTPS_PROXY or ALL_PROXY, or name this host in NO_PROXY"}}
	}
	return u, nil
}

// dialProxy opens a TCP connection to the server of o through the proxy p.
func dialProxy(ctx context.Context, o *Options, p *url.URL) (net.Conn, error) {
	port := proxyPorts[p.Scheme]
	if s := p.Port(); s != "" {
		port, _ = strconv.Atoi(s) // ParseProxy has checked it
	}
	via := net.JoinHostPort(p.Hostname(), strconv.Itoa(port))
	conn, err := proxyTCP(ctx, o, p, port)
	if err != nil {
		return nil, proxyError(ctx, o, via, err)
	}
	if p.Scheme == "http" || p.Scheme == "https" {
		conn, err = httpConnect(ctx, conn, o.target(), p)
	} else {
		conn, err = socksConnect(ctx, conn, o, p, via)
	}
	if err != nil {
		return nil, proxyError(ctx, o, via, err)
	}
	return conn, nil
}

func (o *Options) target() string { return net.JoinHostPort(o.Host, strconv.Itoa(o.Port)) }

func proxyTCP(ctx context.Context, o *Options, p *url.URL, port int) (net.Conn, error) {
	conn, err := dialTCP(ctx, o, p.Hostname(), port)
	if err != nil || p.Scheme != "https" {
		return conn, err
	}
	// What is meant for the server, such as the client certificate, is none of the proxy's business.
	t := tlsconf.Options{CAFile: o.TLS.CAFile, CAPath: o.TLS.CAPath, UseOSCerts: o.TLS.UseOSCerts, Insecure: o.TLS.Insecure, KeyLogFile: o.TLS.KeyLogFile}
	c, err := t.Config(p.Hostname())
	if err != nil {
		conn.Close()
		return nil, err
	}
	conn, err = handshake(ctx, conn, c)
	if reason, _, ok := t.Explain(err, p.Hostname()); ok {
		return nil, &ConnectError{Stage: StageTLS, Reason: reason, Err: err}
	}
	return conn, err
}

func proxyError(ctx context.Context, o *Options, via string, err error) error {
	var option *OptionError
	var setting *tlsconf.Error
	if errors.As(err, &option) || errors.As(err, &setting) {
		return err
	}
	if expired(ctx, err) {
		return contextError(ctx, o, StageProxy, fmt.Sprintf("no answer from the proxy %s", via))
	}
	reason := err.Error()
	var ce *ConnectError
	if errors.As(err, &ce) {
		reason = ce.Reason
	}
	return &ConnectError{Stage: StageProxy, Addr: o.Addr(), Err: err, Reason: fmt.Sprintf("proxy %s: %s", via, reason),
		hints: []string{"check --proxy (or HTTP_PROXY, HTTPS_PROXY, ALL_PROXY), or name the host in NO_PROXY"}}
}

// connDialer hands out one connection that stands already.
type connDialer struct{ net.Conn }

func (d connDialer) Dial(string, string) (net.Conn, error) { return d.Conn, nil }

func (d connDialer) DialContext(context.Context, string, string) (net.Conn, error) {
	return d.Conn, nil
}

func socksConnect(ctx context.Context, conn net.Conn, o *Options, p *url.URL, via string) (net.Conn, error) {
	var auth *proxy.Auth
	if p.User != nil {
		pw, _ := p.User.Password()
		auth = &proxy.Auth{User: p.User.Username(), Password: pw}
	}
	target := o.target()
	if p.Scheme == "socks5" && net.ParseIP(o.Host) == nil {
		ips, err := net.DefaultResolver.LookupIPAddr(ctx, o.Host)
		if err != nil {
			conn.Close()
			return nil, fmt.Errorf("no such host %q (socks5h:// lets the proxy look it up)", o.Host)
		}
		target = net.JoinHostPort(ips[0].String(), strconv.Itoa(o.Port))
	}
	d, err := proxy.SOCKS5("tcp", via, auth, connDialer{conn})
	if err != nil {
		conn.Close()
		return nil, err
	}
	c, err := d.(proxy.ContextDialer).DialContext(ctx, "tcp", target)
	if err != nil {
		conn.Close()
		if expired(ctx, err) {
			return nil, err
		}
		return nil, errors.New(strings.TrimPrefix(plainReason(err), "unknown error "))
	}
	return c, nil
}

// httpConnect asks the proxy behind conn for a tunnel (RFC 9110, section 9.3.6).
func httpConnect(ctx context.Context, conn net.Conn, target string, p *url.URL) (net.Conn, error) {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: target}, Host: target, Header: make(http.Header)}
	if p.User != nil {
		pw, _ := p.User.Password()
		req.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(p.User.Username()+":"+pw)))
	}
	if err := req.Write(conn); err != nil {
		conn.Close()
		return nil, errors.New(plainReason(err))
	}
	br := bufio.NewReader(conn)
	resp, err := http.ReadResponse(br, req)
	if err != nil {
		conn.Close()
		return nil, errors.New("it does not answer like an HTTP proxy")
	}
	if resp.StatusCode != http.StatusOK {
		conn.Close()
		return nil, fmt.Errorf("it answered CONNECT with %q", resp.Status)
	}
	if br.Buffered() > 0 {
		return &bufferedConn{Conn: conn, r: br}, nil
	}
	return conn, nil
}

// bufferedConn reads first what a bufio.Reader has already taken from the connection.
type bufferedConn struct {
	net.Conn
	r *bufio.Reader
}

func (c *bufferedConn) Read(b []byte) (int, error) { return c.r.Read(b) }
