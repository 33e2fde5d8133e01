package httpapi

func (a *API) metaRoutes() []route { return nil }
