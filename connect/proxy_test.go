package connect

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mq/packet"
	"mq/tlsconf"
)

// asked is what a proxy was asked.
type asked struct {
	Target     string // "name host:port" or "ip host:port"
	User, Pass string
}

// proxyServer is a proxy with its answers under control.
type proxyServer struct {
	l     net.Listener
	asked chan asked
	reply byte   // SOCKS: the reply code
	user  string // SOCKS: whose password is wanted, "" for nobody
	http  string // HTTP: the answer, "" for a tunnel
}

func (p *proxyServer) start(t *testing.T, handle func(net.Conn) error, c *tls.Config) *proxyServer {
	t.Helper()
	p.l = listen(t).l
	if c != nil {
		p.l = tls.NewListener(p.l, c)
	}
	p.asked = make(chan asked, 10)
	go func() {
		for {
			conn, err := p.l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if err := handle(conn); err != nil && !errors.Is(err, net.ErrClosed) {
					t.Logf("proxy: %v", err)
				}
			}()
		}
	}()
	return p
}

// url returns where the proxy listens, with credentials as typed in a URL.
func (p *proxyServer) url(t *testing.T, scheme, credentials string) *url.URL {
	t.Helper()
	if credentials != "" {
		credentials += "@"
	}
	u, err := ParseProxy(scheme + "://" + credentials + p.l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// tunnel connects both ways until either end closes.
func tunnel(conn net.Conn, r io.Reader, target string) error {
	up, err := net.Dial("tcp", target)
	if err != nil {
		return err
	}
	defer up.Close()
	go func() {
		_, _ = io.Copy(up, r)
		up.Close()
	}()
	_, _ = io.Copy(conn, up)
	return nil
}

// socks serves one connection by RFC 1928 and RFC 1929.
func (p *proxyServer) socks(conn net.Conn) error {
	var a asked
	b := make([]byte, 512)
	read := func(n int) []byte {
		_, _ = io.ReadFull(conn, b[:n])
		return b[:n]
	}
	methods := string(read(int(read(2)[1])))
	method := byte(0)
	if p.user != "" {
		method = 2
	}
	if !strings.Contains(methods, string([]byte{method})) {
		_, err := conn.Write([]byte{5, 0xff})
		return err
	}
	_, _ = conn.Write([]byte{5, method})
	if method == 2 {
		a.User = string(read(int(read(2)[1])))
		a.Pass = string(read(int(read(1)[0])))
		if a.User != p.user {
			_, err := conn.Write([]byte{1, 1})
			return err
		}
		_, _ = conn.Write([]byte{1, 0})
	}
	kind, host := "ip", ""
	switch read(4)[3] {
	case 1:
		host = net.IP(read(4)).String()
	case 3:
		kind, host = "name", string(read(int(read(1)[0])))
	case 4:
		host = net.IP(read(16)).String()
	}
	target := net.JoinHostPort(host, strconv.Itoa(int(binary.BigEndian.Uint16(read(2)))))
	a.Target = kind + " " + target
	p.asked <- a
	_, _ = conn.Write([]byte{5, p.reply, 0, 1, 0, 0, 0, 0, 0, 0})
	if p.reply != 0 {
		return nil
	}
	return tunnel(conn, conn, target)
}

// connect serves one connection by RFC 9110, section 9.3.6.
func (p *proxyServer) connect(conn net.Conn) error {
	br := bufio.NewReader(conn)
	req, err := http.ReadRequest(br)
	if err != nil {
		return err
	}
	if req.Method != http.MethodConnect || req.RequestURI != req.Host {
		return fmt.Errorf("got %s %s for %s", req.Method, req.RequestURI, req.Host)
	}
	a := asked{Target: "name " + req.Host}
	req.Header.Set("Authorization", req.Header.Get("Proxy-Authorization"))
	a.User, a.Pass, _ = req.BasicAuth()
	p.asked <- a
	if p.http != "" {
		_, err := io.WriteString(conn, p.http)
		return err
	}
	_, _ = io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n")
	return tunnel(conn, br, req.Host)
}

// checkSession opens a session through the proxy of o, and looks at what the proxy was asked.
func checkSession(t *testing.T, s *server, o Options, p *proxyServer, want asked) {
	t.Helper()
	session, peer := s.open(o)
	if diff := cmp.Diff(want, receive(t, p.asked)); diff != "" {
		t.Errorf("the proxy was asked (-want +got):\n%s", diff)
	}
	if err := session.Close(); err != nil {
		t.Error(err)
	}
	peer.expect(&packet.Disconnect{})
}

func TestProxies(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, scheme, host, credentials string
		want                            asked // %d stands for the port
	}{
		{"socks5h", "socks5h", "localhost", "", asked{Target: "name localhost:%d"}},
		{"socks5h, address", "socks5h", "127.0.0.1", "", asked{Target: "ip 127.0.0.1:%d"}},
		{"socks5", "socks5", "127.0.0.1", "", asked{Target: "ip 127.0.0.1:%d"}},
		{"socks5h, password", "socks5h", "localhost", "u%40x:p%3A%25%40%2F", asked{"name localhost:%d", "u@x", "p:%@/"}},
		{"http", "http", "localhost", "", asked{Target: "name localhost:%d"}},
		{"http, password", "http", "127.0.0.1", "u%40x:p%3A%25%40%2F", asked{"name 127.0.0.1:%d", "u@x", "p:%@/"}},
		{"https, password", "https", "127.0.0.1", "u:", asked{"name 127.0.0.1:%d", "u", ""}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := &proxyServer{user: test.want.User}
			switch {
			case strings.HasPrefix(test.scheme, "socks"):
				p.start(t, p.socks, nil)
			case test.scheme == "https":
				p.start(t, p.connect, serverTLS(t, "server", ""))
			default:
				p.start(t, p.connect, nil)
			}
			s := listen(t)
			o := s.options()
			o.Host, o.Proxy = test.host, p.url(t, test.scheme, test.credentials)
			o.TLS.CAFile = certs().Path("ca.pem")
			test.want.Target = strings.Replace(test.want.Target, "%d", strconv.Itoa(o.Port), 1)
			checkSession(t, s, o, p, test.want)
		})
	}
}

// TestProxyWhoResolves: socks5:// looks the name up here, socks5h:// leaves it to the proxy.
func TestProxyWhoResolves(t *testing.T) {
	t.Parallel()
	p := &proxyServer{reply: 1}
	p.start(t, p.socks, nil)
	o := Options{Host: "localhost", Port: 1}
	o.Proxy = p.url(t, "socks5", "")
	if _, err := Dial(t.Context(), o); err == nil {
		t.Error("socks5: connected")
	}
	if got := receive(t, p.asked).Target; got != "ip 127.0.0.1:1" && got != "ip [::1]:1" {
		t.Errorf("socks5: the proxy was asked for %q", got)
	}
	o.Host = "no..such..host"
	_, err := Dial(t.Context(), o)
	checkProxyFailure(t, err, o, p, `no such host "no..such..host" (socks5h:// lets the proxy look it up)`)
	o.Proxy = p.url(t, "socks5h", "")
	_, err = Dial(t.Context(), o)
	checkProxyFailure(t, err, o, p, "general SOCKS server failure")
	if got := receive(t, p.asked).Target; got != "name no..such..host:1" {
		t.Errorf("socks5h: the proxy was asked for %q", got)
	}
}

// checkProxyFailure wants the reason of a failing proxy, and none of its credentials, which are "user" and "secret".
func checkProxyFailure(t *testing.T, err error, o Options, p *proxyServer, reason string) {
	t.Helper()
	checkFailure(t, err, o.Addr(), failure{StageProxy, "proxy " + p.l.Addr().String() + ": " + reason,
		"check --proxy (or HTTP_PROXY, HTTPS_PROXY, ALL_PROXY), or name the host in NO_PROXY", false})
	for e := err; e != nil; e = errors.Unwrap(e) {
		if text := fmt.Sprintf("%v %+v", e, e); strings.Contains(text, "secret") || strings.Contains(text, "dXNlcjpzZWNyZXQ") {
			t.Errorf("the error shows the credentials: %s", text)
		}
	}
}

func TestProxyRefuses(t *testing.T) {
	t.Parallel()
	const answer = "it answered CONNECT with "
	for _, test := range []struct {
		scheme string
		p      proxyServer
		want   string
	}{
		{"socks5h", proxyServer{reply: 1, user: "user"}, "general SOCKS server failure"},
		{"socks5h", proxyServer{reply: 2, user: "user"}, "connection not allowed by ruleset"},
		{"socks5h", proxyServer{reply: 5, user: "user"}, "connection refused"},
		{"socks5h", proxyServer{user: "other"}, "username/password authentication failed"},
		{"http", proxyServer{http: "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 6\r\n\r\nsecret"}, answer + `"407 Proxy Authentication Required"`},
		{"http", proxyServer{http: "HTTP/1.1 403 \x1b[31mForbidden\r\n\r\n"}, answer + `"403 \x1b[31mForbidden"`},
		{"http", proxyServer{http: "SSH-2.0-x\x1b\r\n"}, "it does not answer like an HTTP proxy"},
	} {
		t.Run(test.want, func(t *testing.T) {
			t.Parallel()
			p := &test.p
			if test.scheme == "http" {
				p.start(t, p.connect, nil)
			} else {
				p.start(t, p.socks, nil)
			}
			o := Options{Host: "broker.example.com", Proxy: p.url(t, test.scheme, "user:secret")}
			_, err := Dial(t.Context(), o)
			checkProxyFailure(t, err, o, p, test.want)
		})
	}
}

func TestProxyUnreachable(t *testing.T) {
	t.Parallel()
	p := &proxyServer{user: "user"}
	p.start(t, p.socks, nil)
	o := Options{Host: "broker.example.com", Proxy: p.url(t, "socks5h", "")}
	_, err := Dial(t.Context(), o) // without credentials
	checkProxyFailure(t, err, o, p, "no acceptable authentication methods")

	o.Proxy = p.url(t, "http", "user:secret") // SOCKS closes the connection on an HTTP request
	_, err = Dial(t.Context(), o)
	checkProxyFailure(t, err, o, p, "it does not answer like an HTTP proxy")

	p.l.Close()
	for _, scheme := range []string{"socks5h", "http", "https"} {
		o.Proxy = p.url(t, scheme, "user:secret")
		_, err := Dial(t.Context(), o)
		checkProxyFailure(t, err, o, p, "connection refused")
	}
}

// TestProxySilent: a proxy that says nothing costs no more than the connect timeout.
func TestProxySilent(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"socks5h", "http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			p := &proxyServer{l: listen(t).l}
			o := Options{Host: "broker.example.com", ConnectTimeout: 50 * time.Millisecond, Proxy: p.url(t, scheme, "user:secret")}
			_, err := Open(t.Context(), o)
			checkFailure(t, err, "broker.example.com:1883", failure{StageProxy, "no answer from the proxy " + p.l.Addr().String() + " within 50ms",
				"check host and port, or give it more time with --connect-timeout", false})
		})
	}
}

// TestProxyCertificate: what an https:// proxy's certificate says must not reach a terminal as it is.
func TestProxyCertificate(t *testing.T) {
	t.Parallel()
	p := &proxyServer{}
	p.start(t, p.connect, serverTLS(t, "hostile", ""))
	o := Options{Host: "broker.example.com", Proxy: p.url(t, "https", "user:secret")}
	o.TLS.CAFile = certs().Path("other-ca.pem") // which signed it, so that only the name is wrong
	o.TLS.ServerName = "localhost"              // is the broker's, not the proxy's
	_, err := Dial(t.Context(), o)
	var ce *ConnectError
	if !errors.As(err, &ce) {
		t.Fatalf("got %T %v", err, err)
	}
	reason, _, ok := tlsconf.Explain(errors.Unwrap(ce.Err), "127.0.0.1")
	if !ok || !strings.Contains(reason, "127.0.0.1") {
		t.Fatalf("%v is explained by %q", ce.Err, reason)
	}
	checkProxyFailure(t, err, o, p, reason)
}

// TestProxyTalksFirst: bytes that come with the answer to CONNECT belong to the server.
func TestProxyTalksFirst(t *testing.T) {
	t.Parallel()
	p := &proxyServer{http: "HTTP/1.1 200 OK\r\n\r\nhello"}
	p.start(t, p.connect, nil)
	conn, err := Dial(t.Context(), Options{Host: "broker.example.com", Proxy: p.url(t, "http", "")})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if b, err := io.ReadAll(conn); string(b) != "hello" || err != nil {
		t.Errorf("read %q, %v", b, err)
	}
}

func TestProxyFromEnvironment(t *testing.T) {
	t.Parallel()
	all := map[string]string{"ALL_PROXY": "socks5://all:1"}
	web := map[string]string{"HTTP_PROXY": "http://plain:1", "HTTPS_PROXY": "https://secure:1", "ALL_PROXY": "socks5h://all:1"}
	with := func(m map[string]string, name, value string) map[string]string {
		n := map[string]string{name: value}
		for k, v := range m {
			n[k] = v
		}
		return n
	}
	for _, test := range []struct {
		name    string
		env     map[string]string
		network Network
		host    string
		want    string
	}{
		{"none", nil, TCP, "h", ""},
		{"all", all, TCP, "h", "socks5://all:1"},
		{"all, tls", all, TLS, "h", "socks5://all:1"},
		{"all, ws", all, WS, "h", "socks5://all:1"},
		{"all, wss", all, WSS, "h", "socks5://all:1"},
		{"web, tcp", web, TCP, "h", "socks5h://all:1"},
		{"web, tls", web, TLS, "h", "socks5h://all:1"},
		{"web, ws", web, WS, "h", "http://plain:1"},
		{"web, wss", web, WSS, "h", "https://secure:1"},
		{"only web, tcp", map[string]string{"HTTP_PROXY": "http://plain:1", "HTTPS_PROXY": "http://plain:1"}, TLS, "h", ""},
		{"lower case first", with(all, "all_proxy", "socks5://lower:1"), TCP, "h", "socks5://lower:1"},
		{"no scheme", map[string]string{"ALL_PROXY": "h:3128"}, TCP, "x", "http://h:3128"},
		{"no proxy, host", with(all, "NO_PROXY", "a,h"), TCP, "h", ""},
		{"no proxy, other host", with(all, "NO_PROXY", "a,b"), TCP, "h", "socks5://all:1"},
		{"no proxy, domain", with(all, "no_proxy", ".example.com"), TLS, "a.example.com", ""},
		{"no proxy, port", with(all, "NO_PROXY", "h:1883"), TCP, "h", ""},
		{"no proxy, other port", with(all, "NO_PROXY", "h:1884"), TCP, "h", "socks5://all:1"},
		{"no proxy, network", with(all, "NO_PROXY", "10.0.0.0/8"), TCP, "10.1.2.3", ""},
		{"no proxy, all", with(all, "NO_PROXY", "*"), TCP, "h", ""},
		{"localhost", all, TCP, "localhost", ""},
		{"loopback", all, WS, "127.0.0.9", ""},
		{"loopback 6", all, TCP, "::1", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := Options{Network: test.network, Host: test.host, Getenv: func(n string) string { return test.env[n] }}.withDefaults()
			u, err := o.proxy()
			got := ""
			if u != nil {
				got = u.String()
			}
			if got != test.want || err != nil {
				t.Errorf("got %q, %v, want %q", got, err, test.want)
			}
			o.Proxy = &url.URL{Scheme: "http", Host: "explicit"} // --proxy outweighs everything
			if u, err := o.proxy(); u != o.Proxy || err != nil {
				t.Errorf("got %v, %v", u, err)
			}
		})
	}
}

func TestProxyFromEnvironmentRefuses(t *testing.T) {
	t.Parallel()
	o := Options{Host: "h", Getenv: func(n string) string { return map[string]string{"ALL_PROXY": "http://user:sec%zzret@h"}[n] }}
	_, err := Dial(t.Context(), o)
	const reason, hint = "the proxy named in the environment is not a valid URL", "correct HTTP_PROXY, HTTPS_PROXY or ALL_PROXY, or name this host in NO_PROXY"
	checkOptionError(t, err, "proxy", `--proxy "http://•••@h": `+reason, hint)
	o.Getenv = func(n string) string { return map[string]string{"ALL_PROXY": "ftp://user:secret@h"}[n] }
	_, err = Dial(t.Context(), o)
	checkOptionError(t, err, "proxy", `--proxy "•••@h": `+reason, hint)
	o.Host = "localhost" // which needs no proxy
	if u, err := o.proxy(); u != nil || err != nil {
		t.Errorf("got %v, %v", u, err)
	}
}

// TestProxyFromEnvironmentIsUsed: the variables reach Dial, not only the function that reads them.
func TestProxyFromEnvironmentIsUsed(t *testing.T) {
	t.Parallel()
	p := &proxyServer{reply: 5}
	p.start(t, p.socks, nil)
	o := Options{Host: "broker.example.com", Getenv: func(n string) string {
		return map[string]string{"ALL_PROXY": "socks5h://" + p.l.Addr().String()}[n]
	}}
	_, err := Dial(t.Context(), o)
	checkProxyFailure(t, err, o, p, "connection refused")
	if diff := cmp.Diff(asked{Target: "name broker.example.com:1883"}, receive(t, p.asked)); diff != "" {
		t.Error(diff)
	}
}
