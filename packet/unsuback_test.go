package packet

import "testing"

func TestUnsuback(t *testing.T) {
	roundTrip(t, V311, &Unsuback{PacketID: 1}, "b0 02 0001")
	roundTrip(t, V31, &Unsuback{PacketID: 65535}, "b0 02 ffff")
	roundTrip(t, V5, &Unsuback{PacketID: 1, Codes: []ReasonCode{0, 0x11}}, "b0 05 0001 00 0011")

	refuses(t, V311, &Unsuback{PacketID: 1, Codes: []ReasonCode{0}}, ErrProtocol, "Reason Codes")
	refuses(t, V5, &Unsuback{PacketID: 1}, ErrProtocol, "Reason Codes")
	refuses(t, V5, &Unsuback{PacketID: 1, Codes: []ReasonCode{1}}, ErrProtocol, "Reason Code") // [MQTT-3.11.3-2]
	refuses(t, V5, &Unsuback{Codes: []ReasonCode{0}}, ErrProtocol, "Packet Identifier")
}
