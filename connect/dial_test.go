package connect

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"

	"mq/broker"
	"mq/packet"
	"mq/tlsconf"
	"mq/tlsconf/zoo"
)

// failure is what a person is told when a connection does not come about.
type failure struct {
	Stage  Stage
	Reason string
	Hints  string // joined by line feeds
	// Permanent tells that another attempt would be in vain.
	Permanent bool
}

// checkFailure wants err to be a *ConnectError of addr that says exactly this. A Reason or Hints of "…" is not compared.
func checkFailure(t *testing.T, err error, addr string, want failure) {
	t.Helper()
	var ce *ConnectError
	if !errors.As(err, &ce) {
		t.Fatalf("got %T %v, want a *ConnectError", err, err)
	}
	got := failure{ce.Stage, ce.Reason, strings.Join(ce.Hints(), "\n"), ce.permanent}
	if want.Hints == "…" {
		want.Hints = got.Hints
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if text := "connect to " + addr + ": " + want.Reason; err.Error() != text {
		t.Errorf("the error reads %q, want %q", err, text)
	}
	for _, text := range append(ce.Hints(), err.Error()) {
		if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Errorf("control characters in %q", text)
		}
	}
}

func TestDialNetworks(t *testing.T) {
	t.Parallel()
	o := broker.Options{TLS: serverTLS(t, "server", "")}
	for network, o := range startBroker(t, o, TCP, TLS, WS, WSS, Unix) {
		t.Run(string(network), func(t *testing.T) {
			s, err := Open(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.Subscribe(t.Context(), []Subscription{{"t", packet.ExactlyOnce}})
			if diff := cmp.Diff([]SubscribeResult{{Filter: "t", QoS: packet.ExactlyOnce}}, got); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestDialClientCertificate(t *testing.T) {
	t.Parallel()
	z := certs()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, network := range []Network{TLS, WSS} {
			t.Run(fmt.Sprint(network, " ", tls.VersionName(version)), func(t *testing.T) {
				t.Parallel()
				c := serverTLS(t, "server", "ca.pem")
				c.MinVersion, c.MaxVersion = version, version
				o := startBroker(t, broker.Options{TLS: c}, network)[network]
				o.TLS.CertFile, o.TLS.KeyFile = z.Path("client.pem"), z.Path("client.key")
				s, err := Open(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
				want := "the server demands a client certificate"
				if version == tls.VersionTLS12 { // whose alert does not say
					want = "the server refused the TLS handshake (handshake failure): no common cipher suite, or it demands a client certificate"
				}
				o.TLS.CertFile, o.TLS.KeyFile = "", ""
				_, err = Open(t.Context(), o)
				checkFailure(t, err, o.Addr(), failure{StageTLS, want, "pass a client certificate: --cert FILE --key FILE", true})
				o.TLS.CertFile, o.TLS.KeyFile = z.Path("client-other-ca.pem"), z.Path("client-other-ca.key")
				_, err = Open(t.Context(), o)
				var ce *ConnectError
				if !errors.As(err, &ce) || ce.Stage != StageTLS || !ce.permanent || !strings.Contains(ce.Reason, "client certificate") {
					t.Errorf("other CA: %#v", err)
				}
			})
		}
	}
}

func TestDialEncryptedKey(t *testing.T) {
	t.Parallel()
	z := certs()
	o := startBroker(t, broker.Options{TLS: serverTLS(t, "server", "ca.pem")}, TLS)[TLS]
	o.TLS.CertFile, o.TLS.KeyFile = z.Path("client.pem"), z.Path("client-encrypted.key")
	asked := 0
	o.TLS.Passphrase = func(string) ([]byte, error) { asked++; return []byte(zoo.Passphrase), nil }
	o.Reconnect.Enabled = true
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if conn, err := Dial(t.Context(), s.(*pahoSession).opts); err != nil {
		t.Error(err)
	} else {
		conn.Close()
	}
	if asked != 1 {
		t.Errorf("asked %d times for the passphrase, want 1", asked)
	}
	o.TLS.Passphrase = func(string) ([]byte, error) { return []byte("wrong"), nil }
	var te *tlsconf.Error
	if _, err := Open(t.Context(), o); !errors.As(err, &te) || te.Flag != "--key-passphrase-file" && te.Flag != "--key" {
		t.Errorf("wrong passphrase: %#v", err)
	}
	o.TLS.CAFile = z.Path("missing.pem")
	if _, err := Dial(t.Context(), o); !errors.As(err, &te) || te.Flag != "--cafile" {
		t.Errorf("missing CA file: %#v", err)
	}
}

func TestDialCertificates(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		cert, reason string
	}{
		{"wrong-ca", `"mq zoo other CA", which is not trusted here`},
		{"other-host", `broker.example.com`},
		{"expired", `expired`},
		{"not-yet", `not valid`},
		{"self-signed", `self-signed`},
		{"hostile", ``},
	} {
		for _, network := range []Network{TLS, WSS} {
			t.Run(test.cert+" "+string(network), func(t *testing.T) {
				t.Parallel()
				o := listenTLS(t, serverTLS(t, test.cert, ""), network)
				conn, err := Dial(t.Context(), o)
				if err == nil {
					conn.Close()
				}
				var ce *ConnectError
				if !errors.As(err, &ce) {
					t.Fatalf("got %T %v, want a *ConnectError", err, err)
				}
				reason, hints, ok := o.TLS.Explain(err, o.Host)
				if !ok || !strings.Contains(reason, test.reason) {
					t.Errorf("%q", reason)
				}
				checkFailure(t, err, o.Addr(), failure{StageTLS, reason, strings.Join(hints, "\n"), true})
			})
		}
	}
}

// listenTLS accepts TLS connections until the test ends, and returns options that lead there.
func listenTLS(t *testing.T, c *tls.Config, n Network) Options {
	t.Helper()
	s := listen(t)
	go func() {
		for {
			conn, err := s.l.Accept()
			if err != nil {
				return
			}
			tc := tls.Server(conn, c)
			_ = tc.Handshake()
			_ = tc.Close()
		}
	}()
	o := s.options()
	o.Network, o.TLS.CAFile = n, certs().Path("ca.pem")
	return o.withDefaults()
}

func TestDialTCPFails(t *testing.T) {
	t.Parallel()
	s := listen(t)
	o := s.options()
	s.l.Close()
	_, err := Dial(t.Context(), o)
	checkFailure(t, err, o.Addr(), failure{StageTCP, "connection refused", "is a broker running there? `mq broker` starts one on port 1883\ncheck --host and --port", false})
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%v does not wrap its cause", err)
	}

	o.Host = "no..such..host"
	_, err = Dial(t.Context(), o)
	checkFailure(t, err, o.Addr(), failure{StageDNS, `no such host "no..such..host"`, "check the spelling of --host", false})

	o.Host = "mqtt://localhost"
	err = tcpError(t.Context(), &o, o.Host, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: o.Host, IsNotFound: true}})
	checkFailure(t, err, o.Addr(), failure{StageDNS, `no such host "mqtt://localhost"`, "--host takes a name or address; give a URL with --url", false})

	o.Host = "h"
	err = tcpError(t.Context(), &o, "h", &net.OpError{Op: "dial", Err: &net.DNSError{Err: "server misbehaving", Name: "h", IsTemporary: true}})
	checkFailure(t, err, o.Addr(), failure{StageDNS, `the name "h" could not be looked up: server misbehaving`, "check the spelling of --host", false})

	err = tcpError(t.Context(), &o, "h", &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EHOSTUNREACH)})
	checkFailure(t, err, o.Addr(), failure{StageTCP, "no route to host", "check the network connection, the route and --host", false})
}

func TestDialBind(t *testing.T) {
	t.Parallel()
	s := listen(t)
	o := s.options()
	o.Bind = "127.0.0.2"
	conn, err := Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if got, _, _ := net.SplitHostPort(conn.LocalAddr().String()); got != o.Bind {
		t.Errorf("connected from %s, want %s", got, o.Bind)
	}
	for _, bind := range []string{"192.0.2.1", "no..such..host"} {
		o.Bind = bind
		_, err := Dial(t.Context(), o)
		checkOptionError(t, err, "bind", `--bind "`+bind+`": not an address of this machine`, "give an IP address that `ip addr` lists")
	}
}

func TestDialUnixFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := Options{Network: Unix, SocketPath: dir + "/missing"}
	_, err := Dial(t.Context(), o)
	checkFailure(t, err, o.SocketPath, failure{StageTCP, "no such socket", "check the path of --unix", false})

	o.SocketPath = dir + "/dead"
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: o.SocketPath})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	_, err = Dial(t.Context(), o)
	checkFailure(t, err, o.SocketPath, failure{StageTCP, "nobody listens on the socket", "is the broker running?", false})

	o.SocketPath = "/" + strings.Repeat("x", 200)
	_, err = Dial(t.Context(), o)
	checkFailure(t, err, o.SocketPath, failure{StageTCP, "invalid argument", "", false})

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Dial(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestDialTLSClosed: a server that closes the connection during the handshake may be starting; it is tried again.
func TestDialTLSClosed(t *testing.T) {
	t.Parallel()
	for _, n := range []Network{TLS, WSS} {
		o := answerOnce(t, "")
		o.Network, o.TLS.CAFile = n, certs().Path("ca.pem")
		_, err := Dial(t.Context(), o)
		checkFailure(t, err, o.Addr(), failure{StageTLS, "the server closed the connection during the TLS handshake", "…", false})
	}
}

// TestDialTimeout connects to a listener that never says anything.
func TestDialTimeout(t *testing.T) {
	t.Parallel()
	const hint = "check host and port, or give it more time with --connect-timeout"
	for _, test := range []struct {
		network Network
		stage   Stage
		reason  string
	}{
		{TLS, StageTLS, "the server did not finish the TLS handshake within 50ms"},
		{WS, StageWebSocket, "no answer to the WebSocket handshake within 50ms"},
		{WSS, StageTLS, "the server did not finish the TLS handshake within 50ms"},
	} {
		t.Run(string(test.network), func(t *testing.T) {
			t.Parallel()
			o := listen(t).options()
			o.Network, o.ConnectTimeout = test.network, 50*time.Millisecond
			o.TLS.CAFile = certs().Path("ca.pem")
			_, err := Open(t.Context(), o)
			checkFailure(t, err, o.Addr(), failure{test.stage, test.reason, hint, false})
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	o := listen(t).options()
	_, err := Dial(ctx, o)
	checkFailure(t, err, o.Addr(), failure{StageTCP, "no answer within 10s", hint, false})
	for _, network := range []Network{TCP, TLS, WS, WSS} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		o.Network = network
		if _, err := Dial(ctx, o); err != context.Canceled {
			t.Errorf("%s: cancelled: %v", network, err)
		}
	}
}

// TestOpenTimeoutIsOne wants the time until CONNACK to be limited as a whole, not step by step.
func TestOpenTimeoutIsOne(t *testing.T) {
	t.Parallel()
	s := &pahoSession{opts: Options{ConnectTimeout: time.Hour}.withDefaults(), ledger: newLedger(0)}
	a, b := net.Pipe()
	defer a.Close()
	c := newPahoConn(s, b, 1, time.Now())
	err := receive(t, async(func() error { _, err := c.Read(make([]byte, 1)); return err }))
	checkFailure(t, err, "localhost:1883", failure{StageConnack, "connected, but no CONNACK within 1h0m0s", "…", false})
}

func TestDialWebSocketFails(t *testing.T) {
	t.Parallel()
	const plain = "is this a WebSocket port? For plain MQTT leave out --ws"
	upgrade := func(protocols ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			up := websocket.Upgrader{Subprotocols: protocols}
			if c, err := up.Upgrade(w, r, nil); err == nil {
				c.Close()
			}
		}
	}
	mux := http.NewServeMux()
	mux.Handle("/none", upgrade())
	mux.Handle("/other", upgrade("chat"))
	mux.HandleFunc("/busy", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	mux.HandleFunc("/old", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.RawQuery) })
	web := httptest.NewServer(mux)
	t.Cleanup(web.Close)
	addr := web.Listener.Addr().(*net.TCPAddr)
	o := Options{Network: WS, Host: "127.0.0.1", Port: addr.Port}
	for path, want := range map[string]failure{
		"":       {StageWebSocket, `the server answered the WebSocket handshake with "404 Not Found"`, `check the path: --ws-path is "/mqtt" (often /mqtt, / or /ws)`, true},
		"old?x":  {StageWebSocket, `the server answered the WebSocket handshake with "200 OK"`, `check the path: --ws-path is "old?x" (often /mqtt, / or /ws)`, true},
		"/busy":  {StageWebSocket, `the server answered the WebSocket handshake with "503 Service Unavailable"`, `check the path: --ws-path is "/busy" (often /mqtt, / or /ws)`, false},
		"/none":  {StageWebSocket, `the WebSocket server does not speak the subprotocol "mqtt"`, `check the path: --ws-path is "/none"`, true},
		"/other": {StageWebSocket, `the WebSocket server does not speak the subprotocol "mqtt"`, `check the path: --ws-path is "/other"`, true},
	} {
		o.Path = path
		_, err := Dial(t.Context(), o)
		checkFailure(t, err, o.Addr(), want)
	}
	o.Path = "/%zz"
	_, err := Dial(t.Context(), o)
	checkOptionError(t, err, "ws-path", `--ws-path "/%zz": not a URL path`, "")

	notHTTP := failure{StageWebSocket, "the server does not answer in HTTP", plain, true}
	for answer, want := range map[string]failure{
		"SSH-2.0-OpenSSH_9\x1b[31m\r\n":                 {notHTTP.Stage, notHTTP.Reason, notHTTP.Hints, true},
		"HTTP/1.1 101 X\r\nbad \x1b[31m header\r\n\r\n": notHTTP,
		"HTTP/1.1 abc \x1b[31m\r\n\r\n":                 notHTTP,
		"":                                              {StageWebSocket, "the server closed the connection during the WebSocket handshake", plain, false},
		"HTTP/1.1 404 \x1b[31mNo\r\nContent-Length: 0\r\n\r\n":           {StageWebSocket, `the server answered the WebSocket handshake with "404 \x1b[31mNo"`, "…", true},
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n": {StageWebSocket, `the server answered the WebSocket handshake with "101 Switching Protocols"`, "…", true},
	} {
		o := answerOnce(t, answer)
		o.Network = WS
		_, err := Dial(t.Context(), o)
		checkFailure(t, err, o.Addr(), want)
	}
}

// answerOnce is a server that reads a little, answers and closes the connection.
func answerOnce(t *testing.T, answer string) Options {
	t.Helper()
	s := listen(t)
	go func() {
		conn, err := s.l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = conn.Read(make([]byte, 4096))
		_, _ = conn.Write([]byte(answer))
	}()
	return s.options()
}

func TestWebSocketHostWithZone(t *testing.T) {
	t.Parallel()
	o := Options{Network: WS, Host: "::1%lo", Port: 1}
	_, err := Dial(t.Context(), o) // nobody listens, but the address has to be understood
	var ce *ConnectError
	if !errors.As(err, &ce) || ce.Stage != StageTCP {
		t.Errorf("got %v, want a failure of TCP", err)
	}
}
