package standin;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/** The process id and the state that {@code AxonIvyEngine -status} prints. */
public final class StateFile {
  private final Path file;

  public StateFile(Home home) throws IOException {
    Files.createDirectories(home.work());
    file = home.work().resolve("engine.state");
  }

  public void set(String state) {
    Path next = file.resolveSibling("engine.state.next");
    try {
      Files.writeString(next, "pid=" + ProcessHandle.current().pid() + "\nstate=" + state + "\n");
      Files.move(next, file, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      Log.error("The state file cannot be written", e);
    }
  }

  public void remove() {
    try {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      Log.error("The state file cannot be removed", e);
    }
  }
}
