package standin;

import java.net.InetAddress;
import java.net.UnknownHostException;

/** This host's name and address according to the system. */
public final class HostName {
  private HostName() {}

  public static String name() {
    try {
      return InetAddress.getLocalHost().getHostName();
    } catch (UnknownHostException e) {
      return "localhost";
    }
  }

  public static String address() {
    try {
      return InetAddress.getLocalHost().getHostAddress();
    } catch (UnknownHostException e) {
      return "127.0.0.1";
    }
  }
}
