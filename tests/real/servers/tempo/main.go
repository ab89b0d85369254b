// SPDX-License-Identifier: Apache-2.0
// Tempo's own application with a main of ours, because its gRPC codec is registered by package order: with Go 1.21
// and later grpc's codec comes last, cannot encode Tempo's messages, and the first span ends the process.
package main

import (
	"flag"
	"log"
	"os"

	"github.com/grafana/tempo/cmd/tempo/app"
	tempolog "github.com/grafana/tempo/pkg/util/log"
	"google.golang.org/grpc/encoding"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
	"gopkg.in/yaml.v2"
)

type codec struct{}

func (codec) Name() string { return "proto" }

func (codec) Marshal(v any) ([]byte, error) {
	if m, ok := v.(interface{ Marshal() ([]byte, error) }); ok { // a gogo message
		return m.Marshal()
	}
	return proto.Marshal(protoadapt.MessageV2Of(v.(protoadapt.MessageV1)))
}

func (codec) Unmarshal(b []byte, v any) error {
	if m, ok := v.(interface{ Unmarshal([]byte) error }); ok {
		return m.Unmarshal(b)
	}
	return proto.Unmarshal(b, protoadapt.MessageV2Of(v.(protoadapt.MessageV1)))
}

func main() {
	encoding.RegisterCodec(codec{})
	file := flag.String("config.file", "", "configuration file")
	var config app.Config
	config.RegisterFlagsAndApplyDefaults("", flag.CommandLine)
	flag.Parse()
	text, err := os.ReadFile(*file)
	if err != nil {
		log.Fatal(err)
	}
	if err = yaml.UnmarshalStrict(text, &config); err != nil {
		log.Fatal(err)
	}
	tempolog.InitLogger(&config.Server)
	tempo, err := app.New(config)
	if err != nil {
		log.Fatal(err)
	}
	if err = tempo.Run(); err != nil {
		log.Fatal(err)
	}
}
