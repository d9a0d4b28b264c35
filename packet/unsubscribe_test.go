package packet

import (
	"strings"
	"testing"
)

func TestUnsubscribe(t *testing.T) {
	roundTrip(t, V311, &Unsubscribe{PacketID: 1, Filters: []string{"a", "b/#"}}, "a2 0a 0001 0001 61 0003 622f23")
	roundTrip(t, V31, &Unsubscribe{Dup: true, PacketID: 1, Filters: []string{"a"}}, "aa 05 0001 0001 61")
	roundTrip(t, V5, &Unsubscribe{PacketID: 1, Properties: Properties("\x26\x00\x01a\x00\x01b"), Filters: []string{"a"}}, "a2 0d 0001 07 26000161000162 0001 61")

	refuses(t, V311, &Unsubscribe{PacketID: 1}, ErrProtocol, "Topic Filter") // [MQTT-3.10.3-2]
	refuses(t, V311, &Unsubscribe{Filters: []string{"a"}}, ErrProtocol, "Packet Identifier")
	refuses(t, V5, &Unsubscribe{PacketID: 1, Filters: []string{"a", ""}}, ErrMalformed, "Topic Filter")
	refuses(t, V5, &Unsubscribe{PacketID: 1, Filters: []string{strings.Repeat("a", 65536)}}, ErrTooLarge, "Topic Filter")
	refuses(t, V5, &Unsubscribe{PacketID: 1, Dup: true, Filters: []string{"a"}}, ErrProtocol, "DUP")
}
