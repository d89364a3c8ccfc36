namespace StorageCache.Platform.Native;

/// <summary>A ring of the native library (<c>sc_ring</c>), which only it can look into. Used through a pointer.</summary>
internal readonly struct NativeRing;
