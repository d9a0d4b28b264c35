package packet

import "testing"

// TestPropertyTable counts what annex 1 of the list of statements (table 2-4 of 5.0) says of every packet.
func TestPropertyTable(t *testing.T) {
	if n := len(PropertyIDs()); n != 27 {
		t.Errorf("%d properties, want 27", n)
	}
	want := map[Type]int{
		CONNECT: 9, WillProperties: 7, CONNACK: 17, PUBLISH: 8, PUBACK: 2, PUBREC: 2, PUBREL: 2, PUBCOMP: 2, SUBSCRIBE: 2, SUBACK: 2,
		UNSUBSCRIBE: 1, UNSUBACK: 2, DISCONNECT: 4, AUTH: 4,
	}
	for typ := range Type(16) {
		n := 0
		for _, id := range PropertyIDs() {
			info, _ := id.Info()
			if info.AllowedIn(typ) {
				n++
				if pl := info.place(typ); pl.section == "2.2.2.2" {
					t.Errorf("%v in %v has no section", id, typ)
				}
			}
		}
		if n != want[typ] {
			t.Errorf("%d properties in %v, want %d", n, typ, want[typ])
		}
	}
}

func TestPropertyNames(t *testing.T) {
	words := map[string]bool{}
	for i := range 256 {
		id := PropertyID(i)
		info, ok := id.Info()
		if id.String() == "" || id.Word() == "" {
			t.Errorf("property %02x has no name", i)
		}
		if _, parsed := ParsePropertyID(id.Word()); parsed != ok || words[id.Word()] {
			t.Errorf("word %q of %02x: parsed %v, known %v", id.Word(), i, parsed, ok)
		}
		words[id.Word()] = true
		if !ok {
			continue
		}
		if info.ID != id || info.Type < PropByte || info.Type > PropBinary || len(info.places) == 0 {
			t.Errorf("property %02x: %+v", i, info)
		}
		if got, ok := ParsePropertyID(info.Name); !ok || got != id {
			t.Errorf("ParsePropertyID(%q) = %v, %v", info.Name, got, ok)
		}
	}
	if got := PropPayloadFormatIndicator.Word(); got != "payload-format-indicator" {
		t.Errorf("word %q", got)
	}
	if _, ok := ParsePropertyID("nonsense"); ok {
		t.Error("nonsense is a property")
	}
}

func TestPropertyMeaning(t *testing.T) {
	for _, c := range []struct {
		id    PropertyID
		value uint32
		want  string
	}{
		{PropSessionExpiryInterval, 60, "60 s"},
		{PropSessionExpiryInterval, 1<<32 - 1, "never"},
		{PropRetainAvailable, 0, "no"},
		{PropRetainAvailable, 2, ""},
		{PropTopicAlias, 3, ""},
		{PropMaximumPacketSize, 100, "100 bytes"},
		{0x7f, 1, ""},
	} {
		if got := c.id.Meaning(c.value); got != c.want {
			t.Errorf("%v.Meaning(%d) = %q, want %q", c.id, c.value, got, c.want)
		}
	}
}
