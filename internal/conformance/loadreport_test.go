package conformance_test

import (
	"time"

	orcadata "github.com/cncf/xds/go/xds/data/orca/v3"
	orcaservice "github.com/cncf/xds/go/xds/service/orca/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/orca"

	"github.com/grpcx-go/sdk/grpcx"
)

// loadReports is the service of out-of-band load reports (gRFC A51). The one of
// grpc-go cannot report more often than every 30 s, which is when the interop
// case gives up.
type loadReports struct {
	orcaservice.UnimplementedOpenRcaServiceServer
	provider orca.ServerMetricsProvider
}

func registerLoadReports(s grpc.ServiceRegistrar, provider orca.ServerMetricsProvider) {
	orcaservice.RegisterOpenRcaServiceServer(s, loadReports{provider: provider})
}

func (l loadReports) StreamCoreMetrics(req *orcaservice.OrcaLoadReportRequest, stream orcaservice.OpenRcaService_StreamCoreMetricsServer) error {
	tick := time.NewTicker(max(req.GetReportInterval().AsDuration(), 100*time.Millisecond))
	defer tick.Stop()
	for {
		m := l.provider.ServerMetrics()
		if err := stream.Send(&orcadata.OrcaLoadReport{
			CpuUtilization: max(m.CPUUtilization, 0),
			MemUtilization: max(m.MemUtilization, 0),
			Utilization:    m.Utilization,
		}); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-grpcx.Draining(stream.Context()):
			return nil
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
	}
}
