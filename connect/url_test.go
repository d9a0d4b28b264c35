package connect

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseURL(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		in   string
		want URL
	}{
		{"mqtt://h", URL{Network: TCP, Host: "h"}},
		{"MQTT://h/", URL{Network: TCP, Host: "h"}},
		{"tcp://h:1884/a/b", URL{Network: TCP, Host: "h", Port: 1884, Topic: "a/b"}},
		{"mqtts://h:65535", URL{Network: TLS, Host: "h", Port: 65535}},
		{"tls://h", URL{Network: TLS, Host: "h"}},
		{"ssl://h:/x", URL{Network: TLS, Host: "h", Topic: "x"}},
		{"mqtt://10.0.0.1:1", URL{Network: TCP, Host: "10.0.0.1", Port: 1}},
		{"mqtt://[::1]", URL{Network: TCP, Host: "::1"}},
		{"mqtt://[::1]:", URL{Network: TCP, Host: "::1"}},
		{"mqtt://[fe80::1%25eth0]:1884/t", URL{Network: TCP, Host: "fe80::1%eth0", Port: 1884, Topic: "t"}},
		{"mqtt://[::ffff:1.2.3.4]:9", URL{Network: TCP, Host: "::ffff:1.2.3.4", Port: 9}},
		{"mqtt://h%C3%A4nde.example", URL{Network: TCP, Host: "hände.example"}},
		{"mqtt://u@h", URL{Network: TCP, Host: "h", Username: "u"}},
		{"mqtt://u:@h", URL{Network: TCP, Host: "h", Username: "u", HasPassword: true}},
		{"mqtt://:p@h", URL{Network: TCP, Host: "h", Password: "p", HasPassword: true}},
		{"mqtt://u:p@ss@h", URL{Network: TCP, Host: "h", Username: "u", Password: "p@ss", HasPassword: true}},
		{"mqtt://u:p:q@[::1]:3", URL{Network: TCP, Host: "::1", Port: 3, Username: "u", Password: "p:q", HasPassword: true}},
		{"mqtt://u%40x:p%2Fq%3F%25%3A@h", URL{Network: TCP, Host: "h", Username: "u@x", Password: "p/q?%:", HasPassword: true}},
		{"mqtt://u%2Bx+y:p+q@h", URL{Network: TCP, Host: "h", Username: "u+x+y", Password: "p+q", HasPassword: true}},
		{"mqtt://h/#", URL{Network: TCP, Host: "h", Topic: "#"}},
		{"mqtt://h/a/+/b?c=d#e", URL{Network: TCP, Host: "h", Topic: "a/+/b?c=d#e"}},
		{"mqtt://h/a%20b%23%C3%A4", URL{Network: TCP, Host: "h", Topic: "a b#ä"}},
		{"mqtt://h//a/", URL{Network: TCP, Host: "h", Topic: "/a/"}},
		{"mqtt://u:p@h/room@home:1", URL{Network: TCP, Host: "h", Username: "u", Password: "p", HasPassword: true, Topic: "room@home:1"}},
		{"mqtt://h?x", URL{Network: TCP, Host: "h", Topic: "?x"}},
		{"ws://h", URL{Network: WS, Host: "h"}},
		{"ws://h:8080/mqtt?a=b&c=%20", URL{Network: WS, Host: "h", Port: 8080, Path: "/mqtt?a=b&c=%20"}},
		{"wss://u:p@h?token=x", URL{Network: WSS, Host: "h", Username: "u", Password: "p", HasPassword: true, Path: "?token=x"}},
		{"unix:///run/m.sock", URL{Network: Unix, SocketPath: "/run/m.sock"}},
		{"unix:///run/a%20b@c:d?e#f", URL{Network: Unix, SocketPath: "/run/a b@c:d?e#f"}},
	} {
		t.Run(test.in, func(t *testing.T) {
			got, err := ParseURL(test.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseURLRefuses(t *testing.T) {
	t.Parallel()
	const schemes, port = "want mqtt://, mqtts://, ws://, wss:// or unix:///", "want 1 to 65535"
	for _, test := range []struct{ in, want, hint string }{
		{"", `--url: ` + schemes, "for example mqtt://broker.example.com:1883/home/heater"},
		{"localhost", `--url "localhost": ` + schemes, "for example mqtt://broker.example.com:1883/home/heater"},
		{"http://h", `--url "http://h": ` + schemes, "for example mqtt://broker.example.com:1883/home/heater"},
		{"mqtt:/h", `--url "mqtt:/h": ` + schemes, "for example mqtt://broker.example.com:1883/home/heater"},
		{"mqtt://", `--url "mqtt://": the host is missing`, "for example mqtt://localhost/topic"},
		{"mqtt:///t", `--url "mqtt:///t": the host is missing`, "for example mqtt://localhost/topic"},
		{"mqtt://:1883", `--url "mqtt://:1883": the host is missing`, "for example mqtt://localhost/topic"},
		{"mqtt://h:0", `--url "mqtt://h:0": port "0": ` + port, ""},
		{"mqtt://h:65536", `--url "mqtt://h:65536": port "65536": ` + port, ""},
		{"mqtt://h:+1", `--url "mqtt://h:+1": port "+1": ` + port, ""},
		{"mqtt://h:-1", `--url "mqtt://h:-1": port "-1": ` + port, ""},
		{"mqtt://h:mqtt", `--url "mqtt://h:mqtt": port "mqtt": ` + port, ""},
		{"mqtt://[::1", `--url "mqtt://[::1": the IPv6 address has no closing "]"`, "write it as mqtt://[::1]:1883"},
		{"mqtt://[::1]x:1", `--url "mqtt://[::1]x:1": the IPv6 address has no closing "]"`, "write it as mqtt://[::1]:1883"},
		{"mqtt://[]", `--url "mqtt://[]": what stands in brackets is not an IPv6 address`, "write it as mqtt://[::1]:1883"},
		{"mqtt://[h]:1", `--url "mqtt://[h]:1": what stands in brackets is not an IPv6 address`, "write it as mqtt://[::1]:1883"},
		{"mqtt://[1.2.3.4]", `--url "mqtt://[1.2.3.4]": what stands in brackets is not an IPv6 address`, "write it as mqtt://[::1]:1883"},
		{"mqtt://::1:1883", `--url "mqtt://::1:1883": more than one colon in host and port`, "an IPv6 address stands in brackets: mqtt://[::1]:1883"},
		{"mqtt://[fe80::1%eth0]", `--url "mqtt://[fe80::1%eth0]": the host holds a "%" that is not followed by two hex digits`, `write a zone as mqtt://[fe80::1%25eth0]`},
		{"mqtt://h%zz", `--url "mqtt://h%zz": the host holds a "%" that is not followed by two hex digits`, ""},
		{"mqtt://h/50%", `--url "mqtt://h/50%": the topic holds a "%" that is not followed by two hex digits`, `write a literal "%" as %25`},
		{"unix://run/m", `--url "unix://run/m": want an absolute path after unix://`, "for example unix:///run/mosquitto.sock"},
		{"unix:///a%", `--url "unix:///a%": the path holds a "%" that is not followed by two hex digits`, `write a literal "%" as %25`},
		{"http://user:secret@h", `--url "http://•••@h": ` + schemes, "for example mqtt://broker.example.com:1883/home/heater"},
		{"user:secret@h", `--url "•••@h": ` + schemes, "for example mqtt://broker.example.com:1883/home/heater"},
		{"mqtt://user:secret@", `--url "mqtt://•••@": the host is missing`, "for example mqtt://localhost/topic"},
		{"mqtt://user:sec%ret@h", `--url "mqtt://•••@h": the user name or password holds a "%" that is not followed by two hex digits`, `write a literal "%" as %25`},
		{"mqtt://us%er@h", `--url "mqtt://•••@h": the user name or password holds a "%" that is not followed by two hex digits`, `write a literal "%" as %25`},
		{"mqtt://user:sec/ret@h:1", `--url "mqtt://•••@h:1": the user name or password holds a "/" or "?"`, `write "/" as %2F and "?" as %3F`},
		{"mqtt://user:sec?ret@h:1", `--url "mqtt://•••@h:1": the user name or password holds a "/" or "?"`, `write "/" as %2F and "?" as %3F`},
	} {
		t.Run(test.in, func(t *testing.T) {
			_, err := ParseURL(test.in)
			checkOptionError(t, err, "url", test.want, test.hint)
		})
	}
}

// checkOptionError wants an *OptionError of the flag with exactly this text and this hint, "" for none.
func checkOptionError(t *testing.T, err error, flag, text, hint string) {
	t.Helper()
	var oe *OptionError
	if !errors.As(err, &oe) {
		t.Fatalf("got %T %v, want an *OptionError", err, err)
	}
	got := [3]string{oe.Flag, oe.Error(), strings.Join(oe.Hints(), "\n")}
	if diff := cmp.Diff([3]string{flag, text, hint}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRedactURL(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ in, want string }{
		{"", ""},
		{"mqtt://h/t", "mqtt://h/t"},
		{"mqtt://u@h/t", "mqtt://•••@h/t"},
		{"mqtt://u:p@h/t", "mqtt://•••@h/t"},
		{"mqtt://u:p@q@h:1/t", "mqtt://•••@h:1/t"},
		{"mqtt://u:p/q@h/t", "mqtt://•••@h/t"},
		{"mqtt://u:p?q@h/t", "mqtt://•••@h/t"},
		{"mqtt://u:p@q/r@h/t", "mqtt://•••@h/t"},
		{"u:p@h", "•••@h"},
		{"u:p://q@h", "•••@h"},
		{"u:p/q@h", "•••@h"},
	} {
		if got := RedactURL(test.in); got != test.want {
			t.Errorf("RedactURL(%q) = %q, want %q", test.in, got, test.want)
		}
	}
}

func TestParseProxy(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		in   string
		want url.URL
		user string
		pass string
	}{
		{"socks5h://h", url.URL{Scheme: "socks5h", Host: "h"}, "", ""},
		{"SOCKS5://h:1", url.URL{Scheme: "socks5", Host: "h:1"}, "", ""},
		{"http://[::1]:8080", url.URL{Scheme: "http", Host: "[::1]:8080"}, "", ""},
		{"https://u%40x:p%3A%25%2F@h:65535", url.URL{Scheme: "https", Host: "h:65535"}, "u@x", "p:%/"},
	} {
		t.Run(test.in, func(t *testing.T) {
			got, err := ParseProxy(test.in)
			if err != nil {
				t.Fatal(err)
			}
			user, pass := "", ""
			if got.User != nil {
				user = got.User.Username()
				pass, _ = got.User.Password()
			}
			got.User = nil
			if diff := cmp.Diff(&test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if user != test.user || pass != test.pass {
				t.Errorf("credentials %q %q, want %q %q", user, pass, test.user, test.pass)
			}
		})
	}
}

func TestParseProxyRefuses(t *testing.T) {
	t.Parallel()
	const want, hint = "want socks5h://, socks5://, http:// or https:// and a host", "for example --proxy socks5h://localhost:1080"
	for _, test := range []struct{ in, value string }{
		{"localhost:1080", ` "localhost:1080"`},
		{"", ""},
		{"socks4://h", ` "socks4://h"`},
		{"http://", ` "http://"`},
		{"socks5h://h:x", ` "socks5h://h:x"`},
		{"socks5h://h:0", ` "socks5h://h:0"`},
		{"socks5h://h:65536", ` "socks5h://h:65536"`},
		{"socks5h://user:secret@", ` "socks5h://•••@"`},
		{"socks5h://user:sec%zzret@h", ` "socks5h://•••@h"`},
		{"socks5h://user:sec/ret@h", ` "socks5h://•••@h"`},
		{"ftp://user:secret@h", ` "•••@h"`},
	} {
		t.Run(test.in, func(t *testing.T) {
			_, err := ParseProxy(test.in)
			checkOptionError(t, err, "proxy", "--proxy"+test.value+": "+want, hint)
		})
	}
}

// FuzzParseURL looks for panics, for URLs that Validate would have to catch, and for passwords in error messages.
func FuzzParseURL(f *testing.F) {
	for _, s := range []string{"mqtt://user:secret@[::1%25lo]:1883/a/+/#", "wss://h/mqtt?x=%20", "unix:///run/x", "mqtt://u:p/q?r@h:1:2", "a:b://c@d", "mqtt://h:99999"} {
		f.Add(s, "s3cret/Pa55")
	}
	f.Fuzz(func(t *testing.T, s, password string) {
		if u, err := ParseURL(s); err == nil {
			switch {
			case u.Network == Unix:
				if !strings.HasPrefix(u.SocketPath, "/") || u.Host != "" {
					t.Errorf("%q: %+v", s, u)
				}
			case u.Host == "" || u.Port < 0 || u.Port > 65535:
				t.Errorf("%q: %+v", s, u)
			}
		}
		// Whatever is wrong with the URL, nothing that stands before the last "@" may be shown.
		for _, scheme := range []string{"mqtt://", "x://", ""} {
			in := scheme + "user:" + password + "@" + s
			_, err := ParseURL(in)
			if err == nil {
				continue
			}
			e := err.(*OptionError)
			safe := in[strings.LastIndexByte(in, '@')+1:]
			if e.Value != scheme+"•••@"+safe && e.Value != "•••@"+safe {
				t.Errorf("%q: the error shows %q", in, e.Value)
			}
			if port, ok := strings.CutPrefix(e.Reason, "port "); ok {
				port, _, _ = strings.Cut(port, ": ")
				if port, err = strconv.Unquote(port); err != nil || !strings.Contains(safe, port) {
					t.Errorf("%q: the error shows the port %q", in, port)
				}
			}
		}
	})
}
