package packet

import "testing"

func TestSuback(t *testing.T) {
	roundTrip(t, V311, &Suback{PacketID: 1, Codes: []ReasonCode{0, 1, 2, 0x80}}, "90 06 0001 00010280")
	roundTrip(t, V31, &Suback{PacketID: 1, Codes: []ReasonCode{2}}, "90 03 0001 02")
	roundTrip(t, V5, &Suback{PacketID: 1, Properties: Properties("\x1f\x00\x01y"), Codes: []ReasonCode{0x87}}, "90 08 0001 04 1f0001 79 87")

	refuses(t, V311, &Suback{PacketID: 1}, ErrProtocol, "Reason Codes")
	refuses(t, V311, &Suback{PacketID: 1, Codes: []ReasonCode{0x87}}, ErrProtocol, "Return Code") // [MQTT-3.9.3-2]
	refuses(t, V5, &Suback{PacketID: 1, Codes: []ReasonCode{3}}, ErrProtocol, "Reason Code")      // [MQTT-3.9.3-2]
	refuses(t, V5, &Suback{Codes: []ReasonCode{0}}, ErrProtocol, "Packet Identifier")
	refuses(t, V311, &Suback{PacketID: 1, Properties: Properties{0x1f, 0, 0}, Codes: []ReasonCode{0}}, ErrProtocol, "Properties")
}
