namespace StorageCache.IO;

/// <summary>
/// A device whose <see cref="IBlockDevice.Submit"/> does nothing but pass the request on to an engine of the cache's: it waits for
/// nothing, and runs no code of the host's. So the thread may stay plugged meanwhile, and the request be kept back (I/O-19).
/// </summary>
internal interface IPluggableDevice : IBlockDevice;
