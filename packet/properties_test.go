package packet

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestProperties(t *testing.T) {
	p := props(t, func(b *PropertyBuilder) {
		b.User("k", "1").Uint(PropSubscriptionIdentifier, 300).Text(PropContentType, "text").Uint(PropSubscriptionIdentifier, 1)
		b.User("k", "2").Bytes(PropCorrelationData, []byte{0, 0xff}).Uint(PropTopicAlias, 7).Uint(PropMessageExpiryInterval, 1<<31).User("", "")
	})
	var users []string
	for k, v := range p.User() {
		users = append(users, k+"="+v)
	}
	if diff := cmp.Diff([]string{"k=1", "k=2", "="}, users); diff != "" {
		t.Error(diff)
	}
	if ids := slices.Collect(p.SubscriptionIDs()); !slices.Equal(ids, []uint32{300, 1}) {
		t.Errorf("subscription identifiers %v", ids)
	}
	var order []PropertyID
	var again PropertyBuilder
	for f := range p.All() {
		order = append(order, f.ID)
		again.Add(f)
	}
	if diff := cmp.Diff([]PropertyID{0x26, 0x0b, 0x03, 0x0b, 0x26, 0x09, 0x23, 0x02, 0x26}, order); diff != "" {
		t.Error(diff)
	}
	if q, err := again.Properties(); err != nil || !bytes.Equal(p, q) {
		t.Errorf("built again: %x, %v; want %x", q, err, p)
	}
	if s, ok := p.Text(PropContentType); s != "text" || !ok {
		t.Errorf("content type %q, %v", s, ok)
	}
	if b, ok := p.Bytes(PropCorrelationData); !bytes.Equal(b, []byte{0, 0xff}) || !ok {
		t.Errorf("correlation data %x, %v", b, ok)
	}
	if n, ok := p.Uint(PropMessageExpiryInterval); n != 1<<31 || !ok {
		t.Errorf("message expiry %d, %v", n, ok)
	}
	if _, ok := p.Get(PropReasonString); ok {
		t.Error("a reason string was found")
	}
	for range p.All() {
		break // leaving the loop early must not go on yielding
	}
	for range p.User() {
		break
	}
	for range p.SubscriptionIDs() {
		break
	}
}

// TestPropertiesTorn asks that bytes that are no properties end the iteration.
func TestPropertiesTorn(t *testing.T) {
	for _, b := range []string{"\x00", "\xff", "\x01", "\x02\x00\x00", "\x03\x00", "\x03\x00\x05ab", "\x26\x00\x01a", "\x26\x00\x01a\x00\x09b", "\x0b\x80", "\x0b\x80\x80\x80\x80\x01", "\x13\x00"} {
		for f := range Properties(b).All() {
			t.Errorf("%x yields %+v", b, f)
		}
		if _, ok := Properties(b).Get(PropReasonString); ok {
			t.Errorf("%x has a reason string", b)
		}
	}
}

func TestPropertyBuilderRefuses(t *testing.T) {
	long := strings.Repeat("x", MaxStringLen+1)
	for name, c := range map[string]struct {
		build func(*PropertyBuilder)
		want  error
	}{
		"long string":           {func(b *PropertyBuilder) { b.Text(PropReasonString, long) }, ErrTooLarge},
		"long binary":           {func(b *PropertyBuilder) { b.Bytes(PropCorrelationData, []byte(long)) }, ErrTooLarge},
		"long name":             {func(b *PropertyBuilder) { b.User(long, "") }, ErrTooLarge},
		"long value":            {func(b *PropertyBuilder) { b.User("", long) }, ErrTooLarge},
		"byte of 256":           {func(b *PropertyBuilder) { b.Uint(PropMaximumQoS, 256) }, ErrTooLarge},
		"two bytes of 65536":    {func(b *PropertyBuilder) { b.Uint(PropTopicAlias, 65536) }, ErrTooLarge},
		"identifier too great":  {func(b *PropertyBuilder) { b.Uint(PropSubscriptionIdentifier, MaxRemainingLength+1) }, ErrTooLarge},
		"integer for string":    {func(b *PropertyBuilder) { b.Uint(PropReasonString, 1) }, ErrMalformed},
		"string for integer":    {func(b *PropertyBuilder) { b.Text(PropTopicAlias, "1") }, ErrMalformed},
		"binary for string":     {func(b *PropertyBuilder) { b.Bytes(PropReasonString, nil) }, ErrMalformed},
		"pair for string":       {func(b *PropertyBuilder) { b.Text(PropUserProperty, "") }, ErrMalformed},
		"unknown integer":       {func(b *PropertyBuilder) { b.Uint(0x7f, 1) }, ErrProtocol},
		"unknown string":        {func(b *PropertyBuilder) { b.Text(0x04, "") }, ErrProtocol},
		"unknown":               {func(b *PropertyBuilder) { b.Add(Property{ID: 0x04}) }, ErrProtocol},
		"good ones after a bad": {func(b *PropertyBuilder) { b.Uint(0x7f, 1).Uint(PropTopicAlias, 1) }, ErrProtocol},
	} {
		var b PropertyBuilder
		c.build(&b)
		var e *Error
		if p, err := b.Properties(); !errors.Is(err, c.want) || !errors.As(err, &e) || p != nil {
			t.Errorf("%s: %x, %v; want %v", name, p, err, c.want)
		}
		b.Reset()
		if p, err := b.Uint(PropTopicAlias, 1).Properties(); err != nil || string(p) != "\x23\x00\x01" {
			t.Errorf("%s: after Reset %x, %v", name, p, err)
		}
	}
}
