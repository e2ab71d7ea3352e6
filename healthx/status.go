package healthx

import (
	"fmt"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// Names that every registry answers to beside the services it serves. The
// empty name is the same entry as Readiness.
const (
	Readiness = "readiness"
	Liveness  = "liveness"
	Startup   = "startup"
)

// Status says whether an entry serves. The zero value is [NotServing].
type Status uint8

const (
	// NotServing is NOT_SERVING in the protocol.
	NotServing Status = iota
	// Serving is SERVING in the protocol.
	Serving
)

// String returns the name that the protocol uses: "SERVING" or "NOT_SERVING".
func (s Status) String() string {
	if s == Serving {
		return "SERVING"
	}
	return "NOT_SERVING"
}

// MarshalText writes the name that [Status.String] returns.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (s *Status) UnmarshalText(text []byte) error {
	switch string(text) {
	case "SERVING":
		*s = Serving
	case "NOT_SERVING":
		*s = NotServing
	default:
		return fmt.Errorf("healthx: unknown status %q; use SERVING or NOT_SERVING", text)
	}
	return nil
}

func (s Status) proto() healthpb.HealthCheckResponse_ServingStatus {
	if s == Serving {
		return healthpb.HealthCheckResponse_SERVING
	}
	return healthpb.HealthCheckResponse_NOT_SERVING
}

// CheckState is the verdict on a check after its thresholds. The zero value
// is [CheckPending].
type CheckState uint8

const (
	// CheckPending means that the check has no result yet.
	CheckPending CheckState = iota
	// CheckPassing means that the dependency is considered healthy.
	CheckPassing
	// CheckFailing means that the dependency is considered unhealthy.
	CheckFailing
)

var checkStateNames = [...]string{"pending", "passing", "failing"}

// String returns "pending", "passing" or "failing".
func (s CheckState) String() string {
	if int(s) < len(checkStateNames) {
		return checkStateNames[s]
	}
	return fmt.Sprintf("CheckState(%d)", uint8(s))
}

// MarshalText writes the name that [CheckState.String] returns.
func (s CheckState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (s *CheckState) UnmarshalText(text []byte) error {
	for i, name := range checkStateNames {
		if name == string(text) {
			*s = CheckState(i)
			return nil
		}
	}
	return fmt.Errorf("healthx: unknown check state %q; use pending, passing or failing", text)
}

// canonical maps the two names of readiness to one.
func canonical(service string) string {
	if service == "" {
		return Readiness
	}
	return service
}
