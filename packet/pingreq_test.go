package packet

import "testing"

func TestPingreq(t *testing.T) {
	for _, v := range []Version{V31, V311, V5} {
		roundTrip(t, v, &Pingreq{}, "c0 00")
	}
	refuses(t, 7, &Pingreq{}, ErrProtocol, "Protocol Version")
}
