module github.com/grpcx-go/sdk/examples

go 1.26.0

require (
	github.com/grpcx-go/sdk v0.0.0
	google.golang.org/grpc v1.85.0
	google.golang.org/protobuf v1.36.12
)

replace github.com/grpcx-go/sdk => ../
