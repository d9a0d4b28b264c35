package broker

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"
	"github.com/mochi-mqtt/server/v2/packets"
)

func startBroker(t testing.TB, o Options) *Server {
	t.Helper()
	if o.Listeners == nil {
		o.Listeners = []Listener{{"tcp", "127.0.0.1:0"}}
	}
	s, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func testTLS(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, &tls.Config{RootCAs: pool}
}

func wait(t testing.TB, tok paho.Token) {
	t.Helper()
	if !tok.WaitTimeout(5 * time.Second) {
		t.Fatal("timeout")
	}
	if tok.Error() != nil {
		t.Fatal(tok.Error())
	}
}

func TestEveryListenerCarriesMessages(t *testing.T) {
	serverTLS, clientTLS := testTLS(t)
	sock := filepath.Join(t.TempDir(), "mq.sock")
	const any = "127.0.0.1:0"
	s := startBroker(t, Options{
		Listeners: []Listener{{"tcp", any}, {"tls", any}, {"ws", any}, {"wss", any}, {"unix", sock}}, TLS: serverTLS,
	})
	want := []string{
		"mqtt://" + s.Addr("tcp"), "mqtts://" + s.Addr("tls"), "ws://" + s.Addr("ws") + "/mqtt",
		"wss://" + s.Addr("wss") + "/mqtt", "unix://" + sock,
	}
	if d := cmp.Diff(want, s.URLs()); d != "" {
		t.Fatal(d)
	}
	for _, u := range s.URLs() {
		t.Run(strings.SplitN(u, ":", 2)[0], func(t *testing.T) {
			o := paho.NewClientOptions().AddBroker(u).SetClientID("c").SetTLSConfig(clientTLS).SetAutoReconnect(false)
			c := paho.NewClient(o)
			wait(t, c.Connect())
			defer c.Disconnect(0)
			got := make(chan string, 1)
			wait(t, c.Subscribe("a/b", 1, func(_ paho.Client, m paho.Message) { got <- string(m.Payload()) }))
			wait(t, c.Publish("a/b", 1, false, "hello "+u))
			if m := <-got; m != "hello "+u {
				t.Fatalf("got %q", m)
			}
		})
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(sock); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the socket is still there: %v", err)
	}
}

func TestWebSocketHandshake(t *testing.T) {
	s := startBroker(t, Options{Listeners: []Listener{{"ws", "127.0.0.1:0"}}})
	d := websocket.Dialer{Subprotocols: []string{"mqtt"}}
	for _, path := range []string{"/", "/mqtt"} {
		ws, resp, err := d.Dial("ws://"+s.Addr("ws")+path, http.Header{"Origin": {"https://elsewhere.example"}})
		if err != nil {
			t.Fatal(err)
		}
		if got := resp.Header.Get("Sec-WebSocket-Protocol"); got != "mqtt" {
			t.Errorf("%s: subprotocol %q", path, got)
		}
		_ = ws.WriteMessage(websocket.TextMessage, []byte("hello"))
		if _, _, err := ws.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseUnsupportedData) {
			t.Errorf("%s: a text message got %v", path, err)
		}
		_ = ws.Close()
	}
	if _, resp, err := d.Dial("ws://"+s.Addr("ws")+"/other", nil); err == nil || resp.StatusCode != http.StatusNotFound {
		t.Errorf("/other: %v", err)
	}
}

func TestListenErrors(t *testing.T) {
	s := startBroker(t, Options{})
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	live := filepath.Join(dir, "live")
	startBroker(t, Options{Listeners: []Listener{{"unix", live}}})
	for _, tt := range []struct {
		name string
		l    Listener
		err  error
		text string
	}{
		{"port in use", Listener{"tcp", s.Addr("tcp")}, ErrInUse, "listen tcp " + s.Addr("tcp") + ": address already in use"},
		{"websocket port in use", Listener{"ws", s.Addr("tcp")}, ErrInUse, "address already in use"},
		{"no certificate", Listener{"tls", "127.0.0.1:0"}, ErrNoTLS, "no certificate"},
		{"not a socket", Listener{"unix", file}, ErrNotSocket, file},
		{"live socket", Listener{"unix", live}, ErrInUse, live},
		{"network", Listener{"udp", "127.0.0.1:0"}, ErrNetwork, "want tcp"},
		{"address", Listener{"tcp", "192.0.2.1:0"}, nil, "listen tcp 192.0.2.1:0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			probe, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			free := probe.Addr().String()
			_ = probe.Close()
			_, err = Start(Options{Listeners: []Listener{{"tcp", free}, tt.l}})
			var le *ListenError
			if !errors.As(err, &le) || tt.err != nil && !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.text) {
				t.Fatalf("got %v", err)
			}
			again, err := net.Listen("tcp", free)
			if err != nil {
				t.Fatalf("the other listener was left behind: %v", err)
			}
			_ = again.Close()
		})
	}
}

func TestStaleSocketIsReplaced(t *testing.T) {
	sock := filepath.Join(t.TempDir(), "s")
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: sock})
	if err != nil {
		t.Fatal(err)
	}
	ln.SetUnlinkOnClose(false)
	_ = ln.Close()
	s := startBroker(t, Options{Listeners: []Listener{{"unix", sock}}})
	if s.Addr("unix") != sock || s.Addr("tcp") != "" {
		t.Fatal(s.URLs())
	}
}

func TestCloseIsBounded(t *testing.T) {
	s := startBroker(t, Options{})
	v5, v3, silent := dialRaw(t, s, 5), dialRaw(t, s, 4), dialRaw(t, s, 4)
	v5.connect("five", true, nil)
	v3.connect("three", true, nil)
	deaf := dialRaw(t, s, 4)
	deaf.connect("deaf", true, func(pk *packets.Packet) { pk.Connect.Keepalive = 0 })
	deaf.subscribe(1, "flood", 0)
	flood := strings.Repeat("x", 1<<20)
	for range 16 { // more than the socket buffers hold; deaf does not read
		v3.publish(0, "flood", 0, flood)
	}
	v3.sync()
	start := time.Now()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("Close took %v", took)
	}
	if pk := v5.expect(packets.Disconnect); pk.ReasonCode != packets.ErrServerShuttingDown.Code {
		t.Errorf("DISCONNECT with 0x%02x", pk.ReasonCode)
	}
	v3.expectClosed() // no DISCONNECT: MQTT 3.1.1 has none from the server
	silent.expectClosed()
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestConnectTimeout(t *testing.T) {
	events := make(chan Event, 10)
	s := startBroker(t, Options{ConnectTimeout: 20 * time.Millisecond, OnEvent: func(e Event) { events <- e }})
	dialRaw(t, s, 4).expectClosed()
	if e := <-events; e.Kind != Refused || e.Detail != "no CONNECT in time" {
		t.Fatalf("%+v", e)
	}
}

func TestEvents(t *testing.T) {
	events := make(chan Event, 10)
	s := startBroker(t, Options{PublishEvents: true, OnEvent: func(e Event) { events <- e }})
	c := dialRaw(t, s, 4)
	c.connect("c", true, nil)
	c.subscribe(1, "a/+", 1)
	c.publish(0, "a/b", 0, "hi")
	c.expect(packets.Publish)
	c.send(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Unsubscribe, Qos: 1}, PacketID: 2, Filters: packets.Subscriptions{{Filter: "a/+"}}})
	c.expect(packets.Unsuback)
	if err := s.DisconnectClient("c"); err != nil {
		t.Fatal(err)
	}
	c.expectClosed()
	base := Event{ClientID: "c", Network: "tcp", Remote: c.conn.LocalAddr().String(), Version: 4}
	want := []Event{base, base, base, base, base}
	for i, k := range []Kind{Connected, Subscribed, Published, Unsubscribed, Disconnected} {
		want[i].Kind = k
	}
	want[1].Topic, want[1].QoS, want[1].Code = "a/+", 1, 1
	want[2].Topic, want[2].Size = "a/b", 2
	want[3].Topic = "a/+"
	want[4].Detail = "connection lost: closed by the broker"
	var got []Event
	for range want {
		got = append(got, <-events)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatal(d)
	}
	if err := s.DisconnectClient("c"); !errors.Is(err, ErrNotConnected) {
		t.Fatalf("DisconnectClient again: %v", err)
	}
	// A message is counted after it was written, so that its receiver can be faster than the counter.
	for end := time.Now().Add(5 * time.Second); s.Stats().Sent != 1 && time.Now().Before(end); {
		runtime.Gosched()
	}
	st := s.Stats()
	if st.Received != 1 || st.Sent != 1 || st.Dropped != 0 {
		t.Fatalf("%+v", st)
	}
}

func TestSysTopics(t *testing.T) {
	s := startBroker(t, Options{})
	c := dialRaw(t, s, 4)
	c.connect("c", true, nil)
	c.subscribe(1, "$SYS/broker/version", 0)
	if pk := c.expect(packets.Publish); len(pk.Payload) == 0 || !pk.FixedHeader.Retain {
		t.Fatalf("%+v", pk)
	}
}
