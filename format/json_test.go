package format

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mq/packet"
)

// jsonHead is what every object of a QoS 0 message on topic t begins with.
const jsonHead = `{"tst":"2026-11-02T09:07:05.123456+0530","topic":"t","qos":0,"retain":0,"payloadlen":`

func TestAppendJSON(t *testing.T) {
	deep := strings.Repeat("[", 1001) + strings.Repeat("]", 1001)
	tests := []struct {
		name, payload, text, embedded string
		problem                       Problem
	}{
		{"text", "hello", `5,"payload":"hello"}`, `5,"payload_text":"hello"}`, NotJSON},
		{"empty", "", `0,"payload":null}`, `0,"payload":null}`, 0},
		{"null", "null", `4,"payload":"null"}`, `4,"payload":null}`, 0},
		{"string", `"hello"`, `7,"payload":"\"hello\""}`, `7,"payload":"hello"}`, 0},
		{"big numbers", "12345678901234567890.10e400", `27,"payload":"12345678901234567890.10e400"}`, `27,"payload":12345678901234567890.10e400}`, 0},
		{"white space and duplicate keys", "{\"a\" :1,\r\n\t\"a\": \"x \\\" y\"}", `25,"payload":"{\"a\" :1,\r\n\t\"a\": \"x \\\" y\"}"}`, `25,"payload":{"a":1,"a":"x \" y"}}`, 0},
		{"controls", "a\x00\b\f\x1f\x7f", `6,"payload":"a\u0000\b\f\u001f\u007f"}`, `6,"payload_text":"a\u0000\b\f\u001f\u007f"}`, NotJSON},
		{"spoofing", "\"\u202e\u2028\U000e0041é<&>\"", `17,"payload":"\"\u202e\u2028\udb40\udc41é<&>\""}`, `17,"payload":"\u202e\u2028\udb40\udc41é<&>"}`, 0},
		{"not UTF-8", "a\x00\xff", `3,"payload_base64":"YQD/"}`, `3,"payload_base64":"YQD/"}`, NotJSON},
		{"JSON syntax but not UTF-8", "\"\xff\"", `3,"payload_base64":"Iv8i"}`, `3,"payload_base64":"Iv8i"}`, NotJSON},
		{"two values", "1 2", `3,"payload":"1 2"}`, `3,"payload_text":"1 2"}`, NotJSON},
		{"too deep", deep, `2002,"payload":"` + deep + `"}`, `2002,"payload_text":"` + deep + `"}`, NotJSON},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, problem := AppendJSON(nil, message("t", tt.payload), testTime, JSONOptions{})
			if diff := cmp.Diff(jsonHead+tt.text, string(got)); diff != "" || problem != 0 {
				t.Errorf("problem %v (-want +got):\n%s", problem, diff)
			}
			got, problem = AppendJSON(nil, message("t", tt.payload), testTime, JSONOptions{Embed: true})
			if diff := cmp.Diff(jsonHead+tt.embedded, string(got)); diff != "" || problem != tt.problem {
				t.Errorf("embedded: problem %v (-want +got):\n%s", problem, diff)
			}
		})
	}
}

func TestAppendJSONEnvelope(t *testing.T) {
	m := &packet.Message{Topic: "a\n\"\xff", Payload: []byte(`[1,{"b":[]}]`), QoS: 2, Retain: true, PacketID: 65535}
	var b []byte
	for _, o := range []JSONOptions{{}, {Typed: true}, {Typed: true, Embed: true}, {Pretty: true, Embed: true}} {
		b, _ = AppendJSON(b, m, testTime, o)
		b = append(b, '\n')
	}
	golden(t, "json_envelope.txt", string(b))
}

func jsonMessage() func() {
	m := message("plant/line/7/temperature", `{"value":21.5,"unit":"°C","id":12345678901234567890}`)
	buf := make([]byte, 0, 1024)
	return func() {
		buf, _ = AppendJSON(buf[:0], m, testTime, JSONOptions{Typed: true})
		buf, _ = AppendJSON(buf[:0], m, testTime, JSONOptions{Typed: true, Embed: true})
	}
}

func TestAppendJSONAllocs(t *testing.T) {
	if n := testing.AllocsPerRun(100, jsonMessage()); n != 0 {
		t.Errorf("%v allocations per message, want 0", n)
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	f := jsonMessage()
	b.ReportAllocs()
	for b.Loop() {
		f()
	}
}

// tokens is a JSON text without its layout: its tokens in order, numbers as written.
func tokens(t *testing.T, v []byte) []json.Token {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(v))
	d.UseNumber()
	var all []json.Token
	for {
		tok, err := d.Token()
		if err != nil {
			return all
		}
		all = append(all, tok)
	}
}

// received takes the payload back out of an object.
func received(t *testing.T, line []byte, embed bool) (payload []byte, isValue bool) {
	t.Helper()
	var v struct {
		Len    int             `json:"payloadlen"`
		Value  json.RawMessage `json:"payload"`
		Text   *string         `json:"payload_text"`
		Base64 *string         `json:"payload_base64"`
	}
	if err := json.Unmarshal(line, &v); err != nil {
		t.Fatalf("%v in %s", err, line)
	}
	switch {
	case v.Len == 0:
	case v.Base64 != nil:
		b, err := base64.StdEncoding.DecodeString(*v.Base64)
		if err != nil {
			t.Fatal(err)
		}
		payload = b
	case v.Text != nil:
		payload = []byte(*v.Text)
	case embed:
		return v.Value, true
	default:
		var s string
		if err := json.Unmarshal(v.Value, &s); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		payload = []byte(s)
	}
	return payload, false
}

func FuzzAppendJSON(f *testing.F) {
	for _, s := range []string{"", "text", "\x00\xff", `{"a":1e400,"a":"\ud800"}`, "\"\u2028\"", "[1 ,2]\n", "\ufeff1", "\\"} {
		f.Add("a/b", []byte(s), byte(1))
	}
	f.Fuzz(func(t *testing.T, topic string, payload []byte, bits byte) {
		m := &packet.Message{Topic: topic, Payload: payload, QoS: packet.QoS(bits % 3), Retain: bits&4 != 0, PacketID: uint16(bits)}
		o := JSONOptions{Embed: bits&8 != 0, Typed: bits&16 != 0, Pretty: bits&32 != 0}
		line, problem := AppendJSON(nil, m, testTime, o)
		if !json.Valid(line) {
			t.Fatalf("not JSON: %s", line)
		}
		checkSafe(t, line, o.Pretty)
		got, isValue := received(t, line, o.Embed)
		if problem != 0 && (isValue || !o.Embed) {
			t.Fatalf("problem %v with %s", problem, line)
		}
		if !isValue && !bytes.Equal(got, payload) {
			t.Fatalf("%q came back as %q", payload, got)
		}
		if isValue {
			if diff := cmp.Diff(tokens(t, payload), tokens(t, got)); diff != "" {
				t.Fatalf("%q came back as %s:\n%s", payload, got, diff)
			}
		}
	})
}
