package standin.config;

import java.io.IOException;
import java.nio.file.ClosedWatchServiceException;
import java.nio.file.Path;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.WatchEvent;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.util.HashMap;
import java.util.Map;
import standin.Threads;

/** Reloads the configuration when the operating system reports a change of one of its files. */
public final class ConfigurationWatcher implements AutoCloseable {
  private static final long SETTLE_MILLIS = 150;
  private final Configuration configuration;
  private final Runnable afterReload;
  private final WatchService service;
  private final Map<Path, WatchKey> keys = new HashMap<>();

  public ConfigurationWatcher(Configuration configuration, WatchService service, Runnable afterReload)
      throws IOException {
    this.configuration = configuration;
    this.service = service;
    this.afterReload = afterReload;
    watchAll();
    Threads.daemon("configuration-watcher", this::watch);
  }

  private void watch() throws InterruptedException, IOException {
    try {
      while (true) {
        boolean changed = isChange(service.take());
        // A save often causes several events.
        Thread.sleep(SETTLE_MILLIS);
        for (WatchKey key = service.poll(); key != null; key = service.poll()) {
          changed |= isChange(key);
        }
        if (changed) {
          configuration.reload();
          watchAll();
          afterReload.run();
        }
      }
    } catch (ClosedWatchServiceException e) {
      // The engine is stopping.
      return;
    }
  }

  private void watchAll() throws IOException {
    for (Path directory : configuration.watched()) {
      if (!keys.containsKey(directory) || !keys.get(directory).isValid()) {
        keys.put(directory, directory.register(service, StandardWatchEventKinds.ENTRY_CREATE,
            StandardWatchEventKinds.ENTRY_MODIFY, StandardWatchEventKinds.ENTRY_DELETE));
      }
    }
  }

  private static boolean isChange(WatchKey key) {
    boolean relevant = false;
    for (WatchEvent<?> event : key.pollEvents()) {
      relevant |= event.kind() == StandardWatchEventKinds.OVERFLOW || isConfiguration(String.valueOf(event.context()));
    }
    key.reset();
    return relevant;
  }

  /** Files with the temporary names of editors and of configuration management are ignored. */
  private static boolean isConfiguration(String name) {
    boolean temporary = name.startsWith(".") || name.endsWith("~") || name.endsWith(".tmp");
    return !temporary && (name.endsWith(".yaml") || name.endsWith(".json") || !name.contains("."));
  }

  @Override
  public void close() throws IOException {
    service.close();
  }
}
