package packet

import "testing"

func TestConnack(t *testing.T) {
	roundTrip(t, V31, &Connack{}, "20 02 00 00")
	roundTrip(t, V311, &Connack{SessionPresent: true}, "20 02 01 00")
	roundTrip(t, V311, &Connack{ReturnCode: NotAuthorized}, "20 02 00 05")
	roundTrip(t, V5, &Connack{SessionPresent: true}, "20 03 01 00 00")
	roundTrip(t, V5, &Connack{ReasonCode: ReasonNotAuthorized, Properties: Properties("\x1f\x00\x02no")}, "20 08 00 87 05 1f 0002 6e6f")
	roundTrip(t, V5, &Connack{ReturnCode: UnacceptableVersion}, "20 02 00 01")

	refuses(t, V31, &Connack{SessionPresent: true}, ErrProtocol, "Session Present")
	refuses(t, V311, &Connack{SessionPresent: true, ReturnCode: 5}, ErrProtocol, "Session Present")  // [MQTT-3.2.2-4]
	refuses(t, V5, &Connack{SessionPresent: true, ReasonCode: 0x87}, ErrProtocol, "Session Present") // [MQTT-3.2.2-6]
	refuses(t, V311, &Connack{ReasonCode: ReasonBanned}, ErrProtocol, "Reason Code")
	refuses(t, V311, &Connack{ReturnCode: 6}, ErrProtocol, "Connect Return Code")
	refuses(t, V311, &Connack{Properties: Properties{0x24, 1}}, ErrProtocol, "Properties")
	refuses(t, V5, &Connack{ReasonCode: ReasonServerShuttingDown}, ErrProtocol, "Connect Reason Code") // [MQTT-3.2.2-8]
	refuses(t, V5, &Connack{ReturnCode: 1, ReasonCode: ReasonBanned}, ErrProtocol, "Connect Return Code")
	refuses(t, V5, &Connack{Properties: Properties{0x24, 2}}, ErrProtocol, "Maximum QoS")
}

func TestConnackWhy(t *testing.T) {
	for _, c := range []struct {
		p       Connack
		refused bool
		why     string
	}{
		{Connack{}, false, "connection accepted"},
		{Connack{ReturnCode: NotAuthorized}, true, "not authorized"},
		{Connack{ReasonCode: ReasonBanned}, true, "banned"},
	} {
		if c.p.Refused() != c.refused || c.p.Why() != c.why {
			t.Errorf("%+v: %v, %q", c.p, c.p.Refused(), c.p.Why())
		}
	}
}
