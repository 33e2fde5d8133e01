package httpapi

import (
	"context"
	"slices"

	"skillcenter.io/hosting"
)

// Action is what a request asks for: the operationId of its route.
type Action string

// The actions, one for each route.
const (
	ListInstances           Action = "listInstances"
	CreateInstance          Action = "createInstance"
	WatchInstances          Action = "watchInstances"
	GetInstance             Action = "getInstance"
	ApplyInstance           Action = "applyInstance"
	DeleteInstance          Action = "deleteInstance"
	StartInstance           Action = "startInstance"
	StopInstance            Action = "stopInstance"
	RestartInstance         Action = "restartInstance"
	ScaleInstance           Action = "scaleInstance"
	UpdateResources         Action = "updateResources"
	RollbackInstance        Action = "rollbackInstance"
	ListRevisions           Action = "listRevisions"
	RunNow                  Action = "runNow"
	GetMetrics              Action = "getMetrics"
	GetLogs                 Action = "getLogs"
	GetEvents               Action = "getEvents"
	RecordEvent             Action = "recordEvent"
	HealthCheck             Action = "healthCheck"
	GetServiceEndpoint      Action = "getServiceEndpoint"
	GetInstanceCapabilities Action = "getInstanceCapabilities"
	GetInstancePolicy       Action = "getInstanceAutoScalePolicy"
	GetActualCost           Action = "getActualCost"

	ListPolicies  Action = "listAutoScalePolicies"
	CreatePolicy  Action = "createAutoScalePolicy"
	GetPolicy     Action = "getAutoScalePolicy"
	UpdatePolicy  Action = "updateAutoScalePolicy"
	DeletePolicy  Action = "deleteAutoScalePolicy"
	EnablePolicy  Action = "enableAutoScalePolicy"
	DisablePolicy Action = "disableAutoScalePolicy"

	ListServices      Action = "listServices"
	RegisterService   Action = "registerService"
	DiscoverService   Action = "discoverService"
	GetService        Action = "getService"
	UnregisterService Action = "unregisterService"

	ListVolumes   Action = "listVolumes"
	CreateVolume  Action = "createVolume"
	GetVolume     Action = "getVolume"
	DeleteVolume  Action = "deleteVolume"
	MountVolume   Action = "mountVolume"
	UnmountVolume Action = "unmountVolume"

	EstimateCost       Action = "estimateCost"
	CheckCompatibility Action = "checkCompatibility"
	GetCapabilities    Action = "getCapabilities"
	GetStatus          Action = "getStatus"
	GetProviders       Action = "getProviders"
	GetDocument        Action = "getOpenAPI"
)

// route is one row of the table of routes.
type route struct {
	method string
	path   string // below the prefix
	action Action
	code   hosting.Code // of errors that this server makes
	// prepare reads the request and returns what it asks for and how to do it.
	// Mistakes in it are noted in the request; then nothing is done.
	prepare func(q *request) (Access, do)

	changes bool
	public  bool // answers without asking the Authorizer
}

// do makes the call that a request asks for.
type do func(ctx context.Context) (*reply, error)

// routes returns the table: every area adds its own. Nothing else is served.
func (a *API) routes() []route {
	return slices.Concat(
		a.instanceRoutes(),
		a.actionRoutes(),
		a.monitoringRoutes(),
		a.policyRoutes(),
		a.serviceRoutes(),
		a.volumeRoutes(),
		a.costRoutes(),
		a.metaRoutes(),
	)
}
