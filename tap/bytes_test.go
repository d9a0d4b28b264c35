package tap

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mq/packet"
)

func TestParseBytes(t *testing.T) {
	const want = "300d0005612f62636468656c6c6f21c000e000" // the payload looks like hex in a text column
	raw, _ := hex.DecodeString(want)
	tests := []struct{ name, text string }{
		{"plain", want},
		{"upper case", "300D0005612F62636468656C6C6F21C000E000"},
		{"spaces", "30 0d 00 05 61 2f 62 63 64 68 65 6c 6c 6f 21 c0 00 e0 00"},
		{"single digits", "30 d 0 5 61 2f 62 63 64 68 65 6c 6c 6f 21 c0 0 e0 0"},
		{"colons", "30:0d:00:05:61:2f:62:63:64:68:65:6c:6c:6f:21:c0:00:e0:00"},
		{"C array", "{ 0x30, 0x0d, 0x00, 0x05, 0x61, 0x2f, 0x62, 0x63,\n 0x64, 0x68, 0x65, 0x6c, 0x6c, 0x6f, 0x21, 0xc0, 0x00, 0xe0, 0x0 }"},
		{"escapes", `"\x30\x0d\x00\x05\x61\x2f\x62\x63\x64\x68\x65\x6c\x6c\x6f\x21\xc0\x00\xe0\x00"`},
		{"go dump", hex.Dump(raw)},
		{"hexdump -C", "00000000  30 0d 00 05 61 2f 62 63  64 68 65 6c 6c 6f 21 c0  |0...a/bcdhello!.|\n00000010  00 e0 00                                          |...|\n00000013\n"},
		{"xxd", "00000000: 300d 0005 612f 6263 6468 656c 6c6f 21c0  0...a/bcdhello!.\n00000010: 00e0 00                                  ...\n"},
		{"wireshark", "0000   30 0d 00 05 61 2f 62 63 64 68 65 6c 6c 6f 21 c0   0...a/bcdhello!.\n0010   00 e0 00                                          ...\n"},
		{"tcpdump", "\t0x0000:  300d 0005 612f 6263 6468 656c 6c6f 21c0\n\t0x0010:  00e0 00\n"},
		{"base64", base64.StdEncoding.EncodeToString(raw)},
		{"base64 url", base64.RawURLEncoding.EncodeToString(raw)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, err := ParseBytes(tt.text)
			if err != nil || hex.EncodeToString(b) != want {
				t.Errorf("got %x, %v\nwant %s", b, err, want)
			}
		})
	}
	for _, text := range []string{"", " \n", "30 0d0", "30 zz", "30 0d | what", "päckchen"} {
		var e *Error
		if b, err := ParseBytes(text); !errors.As(err, &e) || len(e.Hints()) == 0 {
			t.Errorf("%q: %x, %v", text, b, err)
		}
	}
}

func TestBytes(t *testing.T) {
	raw, _ := hex.DecodeString("c000" + "d000" + "300500016178" + "79" + "40")
	tests := []struct {
		name string
		o    BytesOptions
		want []string
	}{
		{"types tell", BytesOptions{}, []string{"#1 open bytes", "#1 c2s PINGREQ @0+2", "#1 s2c PINGRESP @2+2",
			"#1 unknown PUBLISH @4+7", "#1 unknown broken @11+1: " + packet.ErrTruncated.Error(), "#1 close end of capture"}},
		{"told", BytesOptions{Direction: packet.ServerToClient}, []string{"#1 open bytes", "#1 s2c PINGREQ @0+2", "#1 s2c PINGRESP @2+2",
			"#1 s2c PUBLISH @4+7", "#1 s2c broken @11+1: " + packet.ErrTruncated.Error(), "#1 close end of capture"}},
	}
	for _, tt := range tests {
		r := newRecord(t)
		Bytes(raw, tt.o, r)
		if d := cmp.Diff(tt.want, r.log); d != "" {
			t.Errorf("%s: -want +got\n%s", tt.name, d)
		}
	}
	r := newRecord(t)
	Bytes([]byte{0x30, 0xff, 0xff, 0xff, 0xff, 0x7f}, BytesOptions{}, r)
	if !slices.ContainsFunc(r.trouble(), func(s string) bool { return len(s) > 0 }) {
		t.Error("a length of five bytes was accepted")
	}
}

func FuzzParseBytes(f *testing.F) {
	f.Add("30 0d 00")
	f.Add("00000000  30 0d |0.|")
	f.Add("MA0=")
	f.Fuzz(func(t *testing.T, s string) {
		if b, err := ParseBytes(s); err == nil {
			Bytes(b, BytesOptions{}, Discard{})
		}
	})
}
