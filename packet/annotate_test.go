package packet

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// annotated are packets whose description is pinned, one for each shape of field and for decoding past errors.
var annotated = []struct {
	comment string
	v       Version
	dir     Direction
	hex     string
}{
	{"a CONNECT of 5.0 with everything", V5, ClientToServer, "102d 0004 4d515454 05 f6 003c 0b 1100000e10 150001 6d 1901 0001 63 05 180000001e 0001 77 0002 6869 0001 75 0002 7077"},
	{"a CONNECT of 3.1", V31, ClientToServer, "1010 0006 4d5149736470 03 02 0000 0002 6964"},
	{"a refusal", V5, ServerToClient, "2008 00 87 05 1f0002 6e6f"},
	{"an old refusal", V311, ServerToClient, "2002 00 05"},
	{"a PUBLISH with alias, user property and subscription identifier", V5, ServerToClient, "3b1b 0003 612f62 0009 0f 230005 260001610001 31 0b8001 0101 32312e35"},
	{"a PUBLISH of 3.1.1", V311, ClientToServer, "3006 0003 612f62 78"},
	{"a PUBREL", V311, ClientToServer, "6202 0001"},
	{"a resent PUBREL of 3.1", V31, ClientToServer, "6a02 0001"},
	{"a SUBSCRIBE", V5, ClientToServer, "8210 000a 00 0003 612f23 2e 0004 2b2f6263 00"},
	{"a SUBACK", V5, ServerToClient, "9006 000a 00 01 87 02"},
	{"a DISCONNECT", V5, ServerToClient, "e001 8e"},
	{"an AUTH", V5, ClientToServer, "f00d 18 0b 150001 6d 160004 deadbeef"},
	{"a CONNECT whose password runs past the end", V311, ClientToServer, "1017 0004 4d515454 04 c2 003c 0001 63 0001 75 0009 70772121"},
	{"several faults, gone past", V5, ClientToServer, "3812 0003 612f2b 0a 230000 1100000001 0105 3132 00"},
	{"a property that cannot be read", V5, ClientToServer, "3009 0001 61 03 04 0102 3132 33"},
	{"a topic that runs past the end", V311, ClientToServer, "3006 0014 61626364"},
	{"a packet cut short", V5, ClientToServer, "3220 0001 61 0001 06 03000374"},
	{"a long remaining length", V311, ClientToServer, "30ffffffff0161"},
	{"bytes left over", V311, ClientToServer, "c003 616263"},
	{"type 0", V311, ClientToServer, "0002 6162"},
	{"nothing", V311, ClientToServer, ""},
}

func TestAnnotateGolden(t *testing.T) {
	const file = "testdata/annotate.golden"
	var out strings.Builder
	for _, c := range annotated {
		b, err := hex.DecodeString(strings.ReplaceAll(c.hex, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		a := Annotate(b, c.v, c.dir)
		fmt.Fprintf(&out, "# %s\n%v %v, flags %04b, %v, %d bytes, worst %v, truncated %v\n", c.comment, a.Version, a.Type, a.Flags, a.Direction, a.Len, a.Worst(), a.Truncated)
		dump(&out, b, a.Fields, "  ")
		for _, f := range a.Findings {
			fmt.Fprintf(&out, "  ! %v %s %s [%d,%d) %s: %s; %v", f.Severity, f.Key, f.Rule, f.Start, f.End, f.Field, f.Text, f.Side)
			if f.Code != 0 {
				fmt.Fprintf(&out, ", answer 0x%02X", byte(f.Code))
			}
			out.WriteByte('\n')
		}
		out.WriteByte('\n')
	}
	if *update {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(readText(t, file), out.String()); diff != "" {
		t.Errorf("%s (-want +got), rewrite it with -update:\n%s", file, diff)
	}
}

func dump(out *strings.Builder, b []byte, fields []Field, indent string) {
	for _, f := range fields {
		fmt.Fprintf(out, "%s[%d,%d) %s", indent, f.Start, f.End, f.Name)
		switch f.Kind {
		case KindUint:
			fmt.Fprintf(out, " = %d", f.Uint)
		case KindBits:
			fmt.Fprintf(out, " %08b = %d", f.Mask, f.Uint)
		case KindString:
			fmt.Fprintf(out, " = %q", f.Bytes)
		case KindBinary:
			fmt.Fprintf(out, " = %x", f.Bytes)
		}
		if f.Meaning != "" {
			fmt.Fprintf(out, " (%s)", f.Meaning)
		}
		if f.Secret {
			out.WriteString(" secret")
		}
		out.WriteByte('\n')
		dump(out, b, f.Fields, indent+"  ")
	}
}
