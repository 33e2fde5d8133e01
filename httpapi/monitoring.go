package httpapi

func (a *API) monitoringRoutes() []route { return nil }
