package format

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mq/packet"
)

// mosquitto is a real broker with its clients, for the tests that compare with them.
type mosquitto struct {
	t    *testing.T
	port string
}

// startMosquitto starts a broker on a free port. Without the programs it skips the test, but fails it in CI.
func startMosquitto(t *testing.T) *mosquitto {
	t.Helper()
	for _, name := range []string{"mosquitto", "mosquitto_pub", "mosquitto_sub"} {
		if _, err := exec.LookPath(name); err == nil {
			continue
		}
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not on PATH, and this is CI", name)
		}
		t.Skipf("%s is not on PATH", name)
	}
	for range 5 { // another process may take the port before the broker does
		if mo := tryMosquitto(t); mo != nil {
			return mo
		}
	}
	t.Fatal("mosquitto did not start")
	return nil
}

func tryMosquitto(t *testing.T) *mosquitto {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(t.TempDir(), "mosquitto.conf")
	text := fmt.Sprintf("listener %s 127.0.0.1\nallow_anonymous true\npersistence false\n", port)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("mosquitto", "-c", conf)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { cmd.Wait(); close(exited) }()
	t.Cleanup(func() { cmd.Process.Kill(); <-exited })
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		select {
		case <-exited:
			return nil
		default:
		}
		if c, err := net.DialTimeout("tcp", "127.0.0.1:"+port, time.Second); err == nil {
			c.Close()
			return &mosquitto{t, port}
		}
	}
	return nil
}

// run runs a client in a zone of its own and returns its standard output.
func (mo *mosquitto) run(stdin string, name string, args ...string) string {
	mo.t.Helper()
	cmd := exec.CommandContext(mo.t.Context(), name, append([]string{"-h", "127.0.0.1", "-p", mo.port}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), "TZ=IST-05:30", "HOME="+mo.t.TempDir(), "XDG_CONFIG_HOME="+mo.t.TempDir())
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		mo.t.Fatalf("%s %q: %v: %s", name, args, err, errs.String())
	}
	return string(out)
}

func (mo *mosquitto) publish(m *packet.Message) {
	mo.t.Helper()
	mo.run(string(m.Payload), "mosquitto_pub", "-t", m.Topic, "-q", m.QoS.String(), "-r", "-s")
}

// printed returns what mosquitto_sub prints for the retained message m in each of the formats, and fills in what only
// the broker and the clock know: the packet id and the time.
func (mo *mosquitto) printed(m *packet.Message, formats []string) (fields []string, at time.Time) {
	mo.t.Helper()
	const mark = "<<next>>"
	format := "%m" + mark + "%U" + mark + strings.Join(formats, mark) + mark + "%U" + mark
	for range 20 {
		out := mo.run("", "mosquitto_sub", "-t", m.Topic, "-q", m.QoS.String(), "-C", "1", "-W", "10", "-F", format)
		f := strings.Split(out, mark)
		if len(f) != len(formats)+4 {
			mo.t.Fatalf("%d fields, want %d: %q", len(f), len(formats)+4, out)
		}
		first, _, _ := strings.Cut(f[1], ".")
		last, _, _ := strings.Cut(f[len(f)-2], ".")
		if first != last { // the second changed while it printed
			continue
		}
		mid, err := strconv.ParseUint(f[0], 10, 16)
		if err != nil {
			mo.t.Fatal(err)
		}
		seconds, err := strconv.ParseInt(first, 10, 64)
		if err != nil {
			mo.t.Fatal(err)
		}
		m.PacketID = uint16(mid)
		return f[2 : len(f)-2], time.Unix(seconds, 0).In(time.FixedZone("IST", 19800))
	}
	mo.t.Fatal("the second changed twenty times")
	return nil, time.Time{}
}

// interopFormats are printed alike by mosquitto_sub and by a Template.
func interopFormats() []string {
	formats := []string{"literal é", `\\|\0|\a|\e|\n|\r|\t|\v`, "%%|%5%|%-05.3%", "@@|@%", ""}
	for _, c := range "ACDEFIPRSlmpqrt" {
		for _, flags := range []string{"", "5", "05", "-5", "-05", "2", "40", "040", "-40", ".2", ".", ".0", ".40", "12.5", "-12.5", "012.5"} {
			formats = append(formats, "%"+flags+string(c)+"|")
		}
	}
	for _, c := range "xX" {
		for _, flags := range []string{"", "2", "4", "04", "-4", "-04", "5", "05", "-5"} { // wider ones are deviations
			formats = append(formats, "%"+flags+string(c)+"|")
		}
	}
	for _, c := range timeLetters {
		if !strings.ContainsRune("+LNQfv", c) {
			formats = append(formats, "@"+string(c)+"|")
		}
	}
	return formats
}

func TestTemplateAgainstMosquitto(t *testing.T) {
	mo := startMosquitto(t)
	formats := interopFormats()
	messages := []*packet.Message{
		{Topic: "a/b", Payload: []byte("abcdef"), QoS: 1, Retain: true},
		{Topic: "löng/topic/with/levels", Payload: []byte("a\x00\xff\nb\x1b"), QoS: 2, Retain: true},
		{Topic: "q0", Payload: []byte("{\"a\":[1,2.50]}"), QoS: 0, Retain: true},
	}
	for _, m := range messages {
		t.Run(m.Topic, func(t *testing.T) {
			mo.publish(m)
			want, at := mo.printed(m, formats)
			for i, format := range formats {
				tpl, err := ParseTemplate(format)
				if err != nil {
					t.Errorf("%q: %v", format, err)
					continue
				}
				if diff := cmp.Diff(want[i], string(tpl.Append(nil, m, at))); diff != "" {
					t.Errorf("%q (-mosquitto_sub +ours):\n%s", format, diff)
				}
			}
		})
	}
}

// TestTemplateDeviations proves that each deviation that Template documents is one, and is what it says.
func TestTemplateDeviations(t *testing.T) {
	mo := startMosquitto(t)
	m := &packet.Message{Topic: "a/b", Payload: []byte("abc"), QoS: 1, Retain: true}
	tests := []struct{ format, theirs, ours string }{
		{"%8x|", "      61|", "  616263|"},
		{"%40x|", strings.Repeat(" ", 38) + "61|", strings.Repeat(" ", 34) + "616263|"},
		{"%-8X|", "61      |", "616263  |"},
		{"%-p|", "abc   |", "abc|"},
		{"%-x|", "616263   |", "616263|"},
		{"%.2x|", "616263|", "61 62 63|"},
		{"@L", "%L", "000"},
		{"@f", "%f", "000000"},
	}
	mo.publish(m)
	var formats []string
	for _, tt := range tests {
		formats = append(formats, tt.format)
	}
	theirs, at := mo.printed(m, formats)
	for i, tt := range tests {
		tpl, err := ParseTemplate(tt.format)
		if err != nil {
			t.Fatal(err)
		}
		got := [2]string{theirs[i], string(tpl.Append(nil, m, at))}
		if diff := cmp.Diff([2]string{tt.theirs, tt.ours}, got); diff != "" {
			t.Errorf("%q (-want +got, theirs and ours):\n%s", tt.format, diff)
		}
	}
}

func TestJSONAgainstMosquitto(t *testing.T) {
	mo := startMosquitto(t)
	m := &packet.Message{Topic: "a/b", Payload: []byte("{\"a\": [true, \"x\"],\n\"b\": {}}"), QoS: 2, Retain: true}
	mo.publish(m)
	theirs, at := mo.printed(m, []string{"%j", "%J"})
	for i, o := range []JSONOptions{{}, {Embed: true}} {
		// 2.0.11 prints a Z before the offset, and the clock may have moved on by microseconds.
		want := theirs[i]
		stamp := len(`{"tst":"2026-11-02T09:07:05.`)
		want = want[:stamp] + "000000" + strings.TrimPrefix(want[stamp+6:], "Z")
		got, _ := AppendJSON(nil, m, at, o)
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%+v (-mosquitto_sub +ours):\n%s", o, diff)
		}
	}
}

func TestPlainAgainstMosquitto(t *testing.T) {
	mo := startMosquitto(t)
	tests := []struct {
		name string
		args []string
		o    PlainOptions
	}{
		{"default", nil, PlainOptions{}},
		{"verbose", []string{"-v"}, PlainOptions{Verbose: true}},
		{"no newline", []string{"-N"}, PlainOptions{NoNewline: true}},
		{"both", []string{"-v", "-N"}, PlainOptions{Verbose: true, NoNewline: true}},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// A session keeps the messages, because empty ones cannot be retained.
			session := []string{"-c", "-i", fmt.Sprint("plain", i), "-q", "1", "-t", "p", "-W", "10"}
			mo.run("", "mosquitto_sub", append(session, "-E")...)
			messages := []*packet.Message{message("p", ""), message("p", "a\x00\xff\nb"), message("p", "x")}
			var want []byte
			mo.run("", "mosquitto_pub", "-t", "p", "-q", "1", "-n")
			for i, m := range messages {
				if i > 0 {
					mo.run(string(m.Payload), "mosquitto_pub", "-t", "p", "-q", "1", "-s")
				}
				want = AppendPlain(want, m, tt.o)
			}
			got := mo.run("", "mosquitto_sub", append(append(session, "-C", "3"), tt.args...)...)
			if diff := cmp.Diff(got, string(want)); diff != "" {
				t.Errorf("(-mosquitto_sub +ours):\n%s", diff)
			}
		})
	}
}
