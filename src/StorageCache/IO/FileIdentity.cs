namespace StorageCache.IO;

/// <summary>Which file an open descriptor stands for, however its path was spelled (I/O-8). Valid as long as the file is open.</summary>
/// <param name="DeviceMajor">Major number of the device that holds the file; of the device itself if the file is a block device.</param>
/// <param name="DeviceMinor">Minor number, likewise.</param>
/// <param name="Inode">Inode number; 0, which no file has, if the file is a block device: two nodes may stand for one device.</param>
internal readonly record struct FileIdentity(uint DeviceMajor, uint DeviceMinor, ulong Inode);
