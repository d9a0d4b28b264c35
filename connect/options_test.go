package connect

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mq/packet"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", packet.MaxStringLen)
	for name, o := range map[string]Options{
		"zero":            {},
		"anonymous":       {Version: packet.V311, ClientID: ""},
		"everything":      {Network: WSS, Host: "::1", Port: 65535, Version: packet.V311, ClientID: long, KeepSession: true, KeepAlive: 65535, Username: long, Password: Secret(long), InFlight: 65535, Will: &packet.Message{Topic: "w", QoS: 2, Payload: []byte(long)}},
		"3.1, 23 letters": {Version: packet.V31, ClientID: strings.Repeat("ä", 23)},
		"user only":       {Username: "u"},
		"unix":            {Network: Unix, SocketPath: "/x"},
	} {
		if err := o.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestValidateRefuses(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", packet.MaxStringLen+1)
	proxy := &url.URL{Scheme: "http", Host: "h"}
	for _, test := range []struct {
		name string
		o    Options
		flag string
		text string
		hint string
	}{
		{"port -1", Options{Port: -1}, "port", `--port "-1": want 1 to 65535`, ""},
		{"port 65536", Options{Port: 65536}, "port", `--port "65536": want 1 to 65535`, ""},
		{"no path", Options{Network: Unix}, "unix", `--unix: the path of the socket is empty`, ""},
		{"timeout", Options{ConnectTimeout: -time.Second}, "connect-timeout", `--connect-timeout "-1s": must not be negative`, ""},
		{"proxy, unix", Options{Network: Unix, SocketPath: "/x", Proxy: proxy}, "proxy", `--proxy: a Unix socket is not reached through a proxy`, ""},
		{"bind, unix", Options{Network: Unix, SocketPath: "/x", Bind: "::1"}, "bind", `--bind: a Unix socket has no local address`, ""},
		{"5", Options{Version: packet.V5}, "protocol-version", `--protocol-version "5": MQTT 5 is not supported by this version of mq`, "use -V 311; servers that speak MQTT 5 speak 3.1.1 too"},
		{"6", Options{Version: 6}, "protocol-version", `--protocol-version "Version(6)": want 31 or 311`, ""},
		{"keep alive -1", Options{KeepAlive: -1}, "keepalive", `--keepalive "-1": want 0 (off) to 65535 seconds`, ""},
		{"keep alive 65536", Options{KeepAlive: 65536}, "keepalive", `--keepalive "65536": want 0 (off) to 65535 seconds`, ""},
		{"in flight -1", Options{InFlight: -1}, "max-inflight", `--max-inflight "-1": want 1 to 65535`, ""},
		{"in flight 65536", Options{InFlight: 65536}, "max-inflight", `--max-inflight "65536": want 1 to 65535`, ""},
		{"kept without id", Options{KeepSession: true}, "disable-clean-session", `--disable-clean-session: a session that is kept needs a client identifier`, "add --id NAME, the same name each time"},
		{"3.1 without id", Options{Version: packet.V31}, "id", `--id: MQTT 3.1 wants 1 to 23 characters`, "choose a shorter --id, or use -V 311"},
		{"3.1, 24 letters", Options{Version: packet.V31, ClientID: "abcdefghijklmnopqrstuvwx"}, "id", `--id "abcdefghijklmnopqrstuvwx": MQTT 3.1 wants 1 to 23 characters`, "choose a shorter --id, or use -V 311"},
		{"password alone [MQTT-3.1.2-22]", Options{Password: "secret"}, "pw", `--pw: a password needs a user name in MQTT 3.1 and 3.1.1`, "add --username NAME"},
		{"long id", Options{ClientID: long}, "id", `--id: 65536 bytes, the limit is 65535`, ""},
		{"id not UTF-8", Options{ClientID: "a\xff"}, "id", `--id "a\xff": not valid UTF-8`, ""},
		{"id with NUL", Options{ClientID: "a\x00"}, "id", `--id "a\x00": must not hold the character U+0000`, ""},
		{"long user", Options{Username: long}, "username", `--username: 65536 bytes, the limit is 65535`, ""},
		{"user not UTF-8", Options{Username: "\xc3"}, "username", `--username "\xc3": not valid UTF-8`, ""},
		{"user with NUL", Options{Username: "\x00"}, "username", `--username "\x00": must not hold the character U+0000`, ""},
		{"long password", Options{Username: "u", Password: Secret(long)}, "pw", `--pw: 65536 bytes, the limit is 65535`, ""},
		{"will QoS", Options{Will: &packet.Message{Topic: "t", QoS: 3}}, "will-qos", `--will-qos "QoS(3)": want 0, 1 or 2`, ""},
		{"long will", Options{Will: &packet.Message{Topic: "t", Payload: []byte(long)}}, "will-payload", `--will-payload: 65536 bytes, the limit is 65535`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			checkOptionError(t, test.o.Validate(), test.flag, test.text, test.hint)
			if _, err := Open(t.Context(), test.o); err == nil || err.Error() != test.text {
				t.Errorf("Open: %v", err)
			}
		})
	}
}

func TestValidateWillTopic(t *testing.T) {
	t.Parallel()
	err := Options{Will: &packet.Message{Topic: "a/#"}}.Validate()
	var te *packet.TopicError
	if !errors.As(err, &te) {
		t.Fatalf("got %T, want a *packet.TopicError", err)
	}
	if diff := cmp.Diff(`--will-topic: topic name "a/#": the wildcard '#' is allowed in a subscription only [MQTT-3.3.2-2]`, err.Error()); diff != "" {
		t.Error(diff)
	}
}

func TestSecretIsNeverPrinted(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	o := Options{Username: "u", Password: secret}
	u := URL{Password: secret}
	for _, v := range []any{Secret(secret), o, &o, u, &u, struct{ S []Secret }{[]Secret{secret}}, map[string]Secret{"k": secret}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T %v"} {
			got := fmt.Sprintf(verb, v)
			if strings.Contains(got, secret) || strings.Contains(strings.ToLower(got), fmt.Sprintf("%x", secret)) {
				t.Errorf("%s of %T shows the secret: %s", verb, v, got)
			}
		}
	}
	for _, test := range []struct{ verb, want, empty string }{{"%v", "•••", ""}, {"%s", "•••", ""}, {"%q", `"•••"`, `""`}, {"%#v", "•••", ""}} {
		if got := fmt.Sprintf(test.verb, Secret(secret)); got != test.want {
			t.Errorf("%s: %s, want %s", test.verb, got, test.want)
		}
		if got := fmt.Sprintf(test.verb, Secret("")); got != test.empty {
			t.Errorf("%s of an empty secret: %s, want %s", test.verb, got, test.empty)
		}
	}
}

func TestAddr(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		o    Options
		want string
	}{
		{Options{}, "localhost:1883"},
		{Options{Network: TLS, Host: "h"}, "h:8883"},
		{Options{Network: WS, Host: "h"}, "h:80"},
		{Options{Network: WSS, Host: "::1"}, "[::1]:443"},
		{Options{Host: "fe80::1%eth0", Port: 1}, "[fe80::1%eth0]:1"},
		{Options{Network: Unix, SocketPath: "/run/x", Port: 1}, "/run/x"},
	} {
		if got := test.o.Addr(); got != test.want {
			t.Errorf("%+v: %q, want %q", test.o, got, test.want)
		}
	}
}
