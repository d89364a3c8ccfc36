using StorageCache.Workloads;

return await WorkloadCommand.Create(WorkloadCatalog.All).Parse(args).InvokeAsync();
